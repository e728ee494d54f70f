//! The modules of a crate and which other modules of it each names, read from the tokens of its files.
//!
//! Tokens, because a path may stand in an import, in code, or in a macro's arguments. What is compiled for tests only
//! is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use netcap_tests::{files_below, root};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::law::{is_test, read};

/// A module by its names from the root of the crate; the root itself has none.
pub(crate) type Name = Vec<String>;

/// A file of the crate.
#[derive(Default)]
struct Module {
    /// What its imports call, by the name that they give it.
    imports: BTreeMap<String, Name>,
    /// All paths in it, from the root of the crate.
    paths: BTreeSet<Name>,
}

/// A crate as its files are.
pub(crate) struct Crate {
    modules: BTreeMap<Name, Module>,
    files: BTreeMap<Name, PathBuf>,
}

/// A module names another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrow {
    pub(crate) from: Name,
    pub(crate) to: Name,
}

impl Crate {
    /// Reads `KRATE/src`.
    pub(crate) fn read(krate: &str) -> Self {
        let src = root().join(krate).join("src");
        let files = files_below(&src, ".rs").into_iter().filter(|path| !is_test(path));
        Self::of(files.map(|path| (name_of(&src, &path), path.clone(), read(&path))))
    }

    fn of(files: impl IntoIterator<Item = (Name, PathBuf, String)>) -> Self {
        let (mut modules, mut paths) = (BTreeMap::new(), BTreeMap::new());
        for (name, path, text) in files {
            let tokens: TokenStream =
                text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let mut module = Module::default();
            module.walk(tokens, &name);
            // A program's main.rs and the library's lib.rs are both the root.
            let known: &mut Module = modules.entry(name.clone()).or_default();
            known.imports.extend(module.imports);
            known.paths.extend(module.paths);
            paths.insert(name, path);
        }
        Self { modules, files: paths }
    }

    /// The modules right below one.
    pub(crate) fn children(&self, of: &[String]) -> BTreeSet<String> {
        let inside = self.modules.keys().filter(|name| name.starts_with(of));
        inside.filter_map(|name| name.get(of.len()).cloned()).collect()
    }

    /// Every module that has others below it.
    pub(crate) fn rooms(&self) -> BTreeSet<Name> {
        self.modules.keys().filter_map(|name| name.split_last()).map(|(_, above)| above.to_vec()).collect()
    }

    /// The file of a module.
    pub(crate) fn file(&self, name: &[String]) -> &Path {
        self.files.get(name).map_or(Path::new("src"), PathBuf::as_path)
    }

    /// Which module names which, but for the root: it knows everything.
    pub(crate) fn arrows(&self) -> BTreeSet<Arrow> {
        let mut arrows = BTreeSet::new();
        for (from, module) in self.modules.iter().filter(|(name, _)| !name.is_empty()) {
            for to in module.paths.iter().filter_map(|path| self.module_of(path, 8)) {
                if to != *from {
                    arrows.insert(Arrow { from: from.clone(), to });
                }
            }
        }
        arrows
    }

    /// The module in which the thing is that a path names. What a module passes on from another one is there.
    fn module_of(&self, path: &[String], hops: u32) -> Option<Name> {
        let len = (0..=path.len()).rev().find(|len| {
            let name = path.get(..*len).unwrap_or_default();
            self.modules.contains_key(name) || !self.children(name).is_empty()
        })?;
        let (module, inside) = path.split_at(len);
        let passed_on = inside.first().and_then(|first| self.modules.get(module)?.imports.get(first));
        match passed_on {
            Some(target) if hops > 0 && target != path => {
                let rest = inside.get(1..).unwrap_or_default();
                self.module_of(&[target, rest].concat(), hops - 1)
            }
            _ => Some(module.to_vec()),
        }
    }
}

/// `src/a/b.rs` and `src/a/b/mod.rs` are `a::b`.
fn name_of(src: &Path, path: &Path) -> Name {
    let inside = path.strip_prefix(src).unwrap_or(path).with_extension("");
    let mut name: Name =
        inside.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let last = name.last().map(String::as_str);
    if last == Some("mod") || (name.len() == 1 && matches!(last, Some("lib" | "main"))) {
        name.pop();
    }
    name
}

impl Module {
    /// Takes in all paths of the tokens; `at` is the module they stand in.
    fn walk(&mut self, tokens: TokenStream, at: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut rest = tokens.as_slice();
        while let [first, after @ ..] = rest {
            rest = match first {
                token if is_punct(token, '#') && for_tests_only(after) => behind_item(after),
                TokenTree::Ident(word) if word == "mod" => self.module(after, at),
                TokenTree::Ident(word) if word == "use" => self.import(after, at),
                TokenTree::Ident(word) if word == "crate" || word == "super" || word == "self" => {
                    let paths = leaves(rest, &[]).into_iter();
                    self.paths.extend(paths.filter_map(|leaf| absolute(&leaf.path, at)));
                    after
                }
                TokenTree::Group(group) => {
                    self.walk(group.stream(), at);
                    after
                }
                _ => after,
            };
        }
    }

    /// `mod NAME { … }`, of which the names inside count from a module further down.
    fn module<'a>(&mut self, tokens: &'a [TokenTree], at: &[String]) -> &'a [TokenTree] {
        let [TokenTree::Ident(name), TokenTree::Group(body), behind @ ..] = tokens else { return tokens };
        self.walk(body.stream(), &[at, &[name.to_string()]].concat());
        behind
    }

    fn import<'a>(&mut self, tokens: &'a [TokenTree], at: &[String]) -> &'a [TokenTree] {
        for leaf in leaves(tokens, &[]) {
            if let Some(path) = absolute(&leaf.path, at) {
                self.paths.insert(path.clone());
                self.imports.insert(leaf.name, path);
            }
        }
        let end = tokens.iter().position(|token| is_punct(token, ';')).unwrap_or(tokens.len());
        tokens.get(end..).unwrap_or_default()
    }
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

/// Whether the attribute that begins here is `#[cfg(test)]` or `#[cfg(all(test, …))]`.
fn for_tests_only(tokens: &[TokenTree]) -> bool {
    let Some(TokenTree::Group(attribute)) = tokens.first() else { return false };
    let text = attribute.stream().to_string().replace(' ', "");
    text == "cfg(test)" || text.starts_with("cfg(all(test,")
}

/// What stands behind the item that the attribute belongs to: behind its `;` or its braces.
fn behind_item(tokens: &[TokenTree]) -> &[TokenTree] {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        other => is_punct(other, ';'),
    };
    let end = tokens.iter().position(ends).map_or(tokens.len(), |at| at + 1);
    tokens.get(end..).unwrap_or_default()
}

/// One path of an import or of code.
struct Leaf {
    /// What the file calls it.
    name: String,
    path: Name,
}

/// The paths that begin at the first token.
fn leaves(tokens: &[TokenTree], before: &[String]) -> Vec<Leaf> {
    let mut path = before.to_vec();
    let mut rest = tokens;
    loop {
        match rest {
            [TokenTree::Ident(word), ..] => path.push(word.to_string()),
            [TokenTree::Group(group), ..] if group.delimiter() == Delimiter::Brace => {
                let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
                let parts = tokens.split(|token| is_punct(token, ','));
                return parts.flat_map(|part| leaves(part, &path)).collect();
            }
            _ => break,
        }
        match rest {
            [_, one, two, more @ ..] if is_punct(one, ':') && is_punct(two, ':') => rest = more,
            _ => break,
        }
    }
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let name = match rest {
        [_, TokenTree::Ident(word), TokenTree::Ident(name), ..] if word == "as" => Some(name.to_string()),
        _ => path.last().cloned(),
    };
    name.map(|name| Leaf { name, path }).into_iter().collect()
}

/// The path from the root of the crate, for a file of module `at`. One into another crate looks like one to something
/// inside `at`, where there is no such module.
fn absolute(path: &[String], at: &[String]) -> Option<Name> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some([at, rest].concat()),
        "super" => {
            let (_, above) = at.split_last()?;
            match rest.first() {
                Some(next) if next == "super" => absolute(rest, above),
                _ => Some([above, rest].concat()),
            }
        }
        _ => Some([at, path].concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Crate {
        let src = Path::new("src");
        Crate::of(files.iter().map(|(path, text)| {
            let path = src.join(path);
            (name_of(src, &path), path, (*text).to_owned())
        }))
    }

    fn arrows(files: &[(&str, &str)]) -> Vec<String> {
        let shown = |arrow: Arrow| format!("{}->{}", arrow.from.join("::"), arrow.to.join("::"));
        of(files).arrows().into_iter().map(shown).collect()
    }

    #[test]
    fn paths_are_found_wherever_they_stand() {
        for text in [
            "use crate::b::Thing;",
            "use crate::{b::{self, Thing}};",
            "fn f() { let x = crate::b::thing(); }",
            "fn f() { assert!(matches!(x, crate::b::Thing::A)); }",
            "use super::b::Thing as Other;",
            "mod inside { use super::super::b::Thing; }",
            "use crate::Passed;",
            "/// [`Thing`]\nfn f(x: &crate::b::Thing) {}",
        ] {
            let files = [("lib.rs", "pub use b::Thing as Passed;"), ("a.rs", text), ("b.rs", "")];
            assert_eq!(arrows(&files), ["a->b"], "{text}");
        }
    }

    #[test]
    fn comments_strings_and_tests_are_no_code() {
        let text = "// crate::b::x\nconst A: &str = \"crate::b::x\";\n#[cfg(test)]\nuse crate::b::x;\n\
                    #[cfg(test)]\nmod tests { use crate::b::x; }\n#[cfg(test)]\nfn f() { crate::b::x() }";
        assert!(arrows(&[("a.rs", text), ("b.rs", "")]).is_empty());
    }

    #[test]
    fn what_a_room_passes_on_is_where_it_came_from() {
        let files = [
            ("room/mod.rs", "mod one; mod two; pub use self::one::Thing;"),
            ("room/one.rs", ""),
            ("room/two.rs", "use super::Thing; use super::Own;"),
        ];
        assert_eq!(arrows(&files), ["room->room::one", "room::two->room", "room::two->room::one"]);
    }
}
