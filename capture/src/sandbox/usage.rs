//! What the helper takes of the host: it and its commands belong to the recording's cost.
//!
//! The kernel is asked, not the helper: a helper that hangs costs all the same, and a look a second is two reads. The
//! files are opened before the recording is confined, so neither its user nor a `/proc` that hides other users'
//! processes (`hidepid`, proc(5)) keeps them from being read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use crate::privileged::{Memory, Times};
use nix::unistd::{SysconfVar, sysconf};

/// Bytes of a file that are read: `stat` has 52 numbers of at most 20 digits, `status` some sixty lines.
const TEXT_MAX: usize = 8192;

/// The kernel's files about the helper.
#[derive(Debug)]
pub(super) struct Files {
    stat: File,
    status: File,
}

impl Files {
    /// Of the process with that id, which must not have been waited for yet.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let open = |name: &str| File::open(format!("/proc/{pid}/{name}"));
        Ok(Self { stat: open("stat")?, status: open("status")? })
    }

    /// Its processor time; of one that has ended, all it ever took. `None` when the system does not say.
    pub(super) fn times(&self) -> Option<Times> {
        let hertz =
            sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|hertz| u64::try_from(hertz).ok())?;
        times(&text(&self.stat)?, hertz)
    }

    /// Its memory; `None` when it has ended.
    pub(super) fn memory(&self) -> Option<Memory> {
        memory(&text(&self.status)?)
    }
}

fn text(file: &File) -> Option<String> {
    let mut bytes = [0; TEXT_MAX];
    let got = file.read_at(&mut bytes, 0).ok()?;
    Some(String::from_utf8_lossy(bytes.get(..got)?).into_owned())
}

/// Fields 14 to 17 of `/proc/PID/stat`, in ticks (proc_pid_stat(5)). The name before them may hold blanks and brackets.
fn times(stat: &str, hertz: u64) -> Option<Times> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut ticks = rest.split_whitespace().skip(11).map(|word| {
        let millis = word.parse::<u64>().ok()?.checked_mul(1000)?.checked_div(hertz)?;
        Some(Duration::from_millis(millis))
    });
    let mut next = || ticks.next().flatten();
    let (user, system) = (next()?, next()?);
    Some(Times { user, system, commands: next()?.saturating_add(next()?) })
}

/// `VmHWM` and `VmRSS` of `/proc/PID/status` less what is mapped from files or shared (proc_pid_status(5)).
fn memory(status: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    // Before Linux 4.5 the parts are not there: then all of it counts.
    let shared = bytes("RssFile").unwrap_or(0).saturating_add(bytes("RssShmem").unwrap_or(0));
    let (now, peak) = (bytes("VmRSS")?, bytes("VmHWM")?);
    Some(Memory { now: now.saturating_sub(shared), peak: peak.saturating_sub(shared) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_kernels_numbers() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 99 98 0 0 150 30 700 20 20 0 1 0 5 1 1";
        let ms = Duration::from_millis;
        let want = Times { user: ms(1500), system: ms(300), commands: ms(7200) };
        assert_eq!((times(stat, 100), want.sum()), (Some(want), ms(9000)));
        assert_eq!(times(stat, 0), None);
        let status =
            "Name:\tx\nVmHWM:\t    9000 kB\nVmRSS:\t    8000 kB\nRssAnon:\t1000 kB\nRssFile:\t6000 kB\n";
        assert_eq!(memory(status), Some(Memory { now: 2000 << 10, peak: 3000 << 10 }));
        assert_eq!(memory("Name:\tx\nState:\tZ (zombie)\n"), None);
    }

    #[test]
    fn a_command_that_its_parent_waited_for_is_counted_after_the_end_too() {
        let script = "sh -c 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done'; echo; read _";
        let (input, output) = (Stdio::piped(), Stdio::piped());
        let mut child = Command::new("sh").args(["-c", script]).stdin(input).stdout(output).spawn().unwrap();
        let usage = Files::of(child.id()).unwrap();
        let mut said = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        let (times, memory) = (usage.times().unwrap(), usage.memory().unwrap());
        assert!(times.commands >= Duration::from_millis(20), "{times:?}");
        assert!(memory.now > 1 << 12 && memory.peak >= memory.now, "{memory:?}");
        child.kill().unwrap();
        while usage.memory().is_some() {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(usage.times().unwrap().sum() >= times.sum(), "not waited for, so still there");
        child.wait().unwrap();
        assert_eq!(usage.times(), None);
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC{0,200}|([0-9]{1,22}|\\)| |S|VmRSS:|VmHWM:|kB|\n){0,60}", hertz in any::<u64>()) {
            let _ = (times(&text, hertz), memory(&text));
        }
    }
}
