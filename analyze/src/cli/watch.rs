//! One line of progress on a terminal, when the work takes longer than two seconds.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use netcap_words::Lang;

use crate::engine::Progress;
use crate::text::Text;

/// How long to stay silent.
const SILENT_TICKS: u32 = 20;
const TICK: Duration = Duration::from_millis(100);

/// Shows progress until it is stopped.
#[derive(Debug)]
pub(super) struct Watch {
    done: AtomicBool,
    wanted: bool,
    lang: Lang,
}

impl Watch {
    pub(super) fn new(lang: Lang) -> Self {
        Self { done: AtomicBool::new(false), wanted: io::stderr().is_terminal(), lang }
    }

    pub(super) fn spawn<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        progress: &'scope Progress,
    ) -> Option<ScopedJoinHandle<'scope, ()>> {
        self.wanted.then(|| {
            scope.spawn(move || {
                let mut ticks = 0;
                while !self.done.load(Ordering::Relaxed) {
                    std::thread::sleep(TICK);
                    ticks += 1;
                    if ticks >= SILENT_TICKS && ticks % 5 == 0 {
                        let (files, all) = progress.files();
                        let text = Text::new("progress").with("packets", progress.packets());
                        let text = text.with("read", files).with("all", all).render(self.lang);
                        let _ = io::stderr().write_all(format!("\r{text}\u{1b}[K").as_bytes());
                    }
                }
                if ticks >= SILENT_TICKS {
                    self.clear();
                }
            })
        })
    }

    /// Takes the line away before something else is printed.
    pub(super) fn clear(&self) {
        if self.wanted {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }

    pub(super) fn stop(&self) {
        self.done.store(true, Ordering::Relaxed);
    }
}
