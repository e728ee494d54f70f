//! The manual page of a unit, which is the doc comment of its file.

use netcap_words::Lang;

use super::Unit;

impl Unit {
    /// The manual page: the doc comment of its file.
    pub(crate) fn page(&self) -> String {
        let lines = self.source.lines().take_while(|l| l.starts_with("//!"));
        let mut page = String::new();
        for line in lines {
            let text = line.strip_prefix("//!").unwrap_or_default();
            page.push_str(text.strip_prefix(' ').unwrap_or(text));
            page.push('\n');
        }
        page
    }

    /// One sentence on what it finds: the first line of its page, or the first sentence of its Chinese part.
    pub(crate) fn summary(&self, lang: Lang) -> String {
        let page = self.page();
        let english =
            || page.lines().next().and_then(|line| line.split_once(": ")).map(|(_, s)| s.to_owned());
        let chinese = || {
            let text: String = page.split_once("中文：")?.1.lines().collect();
            Some(format!("{}。", text.split_once(['。', '；']).map_or(text.as_str(), |(s, _)| s)))
        };
        let summary = match lang {
            Lang::En => english(),
            Lang::Zh => chinese(),
        };
        summary.unwrap_or_default()
    }
}
