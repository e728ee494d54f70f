//! Seccomp: which system calls a recording may still make.
//!
//! Two filters, because there are two ways to say no. One lists what a recorder, its C library and its runtime make use
//! of; anything else does not exist (`ENOSYS`), so a libc that tries something newer falls back to what it knows, and a
//! call that a later kernel adds is closed by default. The other lists what must not happen though the call or its
//! relatives are needed, or where a plain answer is better: it says `EPERM`. Neither kills: a recorder that is wrong about
//! a call should lose that call and not the night.
//!
//! Numbers are those of `libc` for the architecture this is built for; both its C libraries have them.

use std::collections::BTreeMap;
use std::os::fd::RawFd;

// The numbers of all calls: a list would only name each of them twice.
#[allow(clippy::wildcard_imports)]
use libc::*;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCmpOp::Eq,
    SeccompCmpOp::Ge, SeccompCmpOp::Gt, SeccompCmpOp::MaskedEq, SeccompCmpOp::Ne, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter,
};

/// Calls of files and directories.
#[rustfmt::skip]
const FILES: &[c_long] = &[
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_preadv, SYS_pwritev,
    SYS_preadv2, SYS_pwritev2, SYS_lseek, SYS_openat, SYS_close, SYS_dup, SYS_dup3, SYS_fcntl, SYS_flock,
    SYS_fsync, SYS_fdatasync, SYS_syncfs, SYS_ftruncate, SYS_truncate, SYS_fallocate, SYS_fadvise64,
    SYS_readahead, SYS_copy_file_range, SYS_sendfile, SYS_splice, SYS_tee, SYS_memfd_create, SYS_fstat,
    SYS_newfstatat, SYS_statx, SYS_statfs, SYS_fstatfs, SYS_faccessat, SYS_faccessat2, SYS_readlinkat,
    SYS_getdents64, SYS_mkdirat, SYS_unlinkat, SYS_renameat2, SYS_linkat, SYS_symlinkat, SYS_fchmod,
    SYS_fchmodat, SYS_utimensat, SYS_umask, SYS_getcwd, SYS_chdir, SYS_fchdir, SYS_inotify_init1, SYS_inotify_add_watch,
    SYS_inotify_rm_watch,
];
/// Calls that wait.
#[rustfmt::skip]
const WAITING: &[c_long] = &[
    SYS_eventfd2, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_ppoll, SYS_pselect6, SYS_pipe2,
    SYS_timerfd_create, SYS_timerfd_settime, SYS_timerfd_gettime, SYS_signalfd4, SYS_nanosleep,
    SYS_clock_nanosleep, SYS_clock_gettime, SYS_clock_getres, SYS_gettimeofday, SYS_getitimer,
    SYS_setitimer, SYS_futex, SYS_wait4, SYS_waitid, SYS_restart_syscall,
];
/// Calls of memory, threads and signals.
#[rustfmt::skip]
const PROCESS: &[c_long] = &[
    SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_mincore, SYS_msync, SYS_mlock,
    SYS_mlock2, SYS_munlock, SYS_mlockall, SYS_brk, SYS_membarrier, SYS_rseq, SYS_set_robust_list,
    SYS_get_robust_list, SYS_set_tid_address, SYS_prctl, SYS_clone, SYS_exit, SYS_exit_group, SYS_gettid,
    SYS_getpid, SYS_getppid, SYS_getpgid, SYS_getsid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
    SYS_getresuid, SYS_getresgid, SYS_getgroups, SYS_capget, SYS_kill, SYS_tgkill, SYS_rt_sigaction,
    SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigpending, SYS_rt_sigsuspend, SYS_rt_sigtimedwait,
    SYS_sigaltstack, SYS_times, SYS_getrusage, SYS_sysinfo, SYS_uname, SYS_getcpu, SYS_getrandom,
    SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_sched_getparam,
    SYS_sched_getscheduler, SYS_sched_setscheduler, SYS_sched_getattr, SYS_sched_setattr, SYS_getpriority,
    SYS_setpriority, SYS_ioprio_get, SYS_ioprio_set, SYS_prlimit64,
];
/// Calls of sockets.
#[rustfmt::skip]
const SOCKETS: &[c_long] = &[
    SYS_socket, SYS_socketpair, SYS_bind, SYS_listen, SYS_accept, SYS_accept4, SYS_getsockname,
    SYS_getpeername, SYS_getsockopt, SYS_setsockopt, SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_recvfrom,
    SYS_recvmsg, SYS_recvmmsg, SYS_shutdown, SYS_ioctl,
];
/// Older forms of the same, which newer architectures never had.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const OLDER: &[c_long] = &[
    SYS_open, SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_getdents, SYS_mkdir, SYS_rmdir,
    SYS_unlink, SYS_rename, SYS_link, SYS_symlink, SYS_chmod, SYS_pipe, SYS_dup2, SYS_epoll_create,
    SYS_epoll_wait, SYS_poll, SYS_select, SYS_eventfd, SYS_inotify_init, SYS_utimes, SYS_time, SYS_alarm,
    SYS_getpgrp, SYS_arch_prctl, SYS_getrlimit, SYS_setrlimit, SYS_renameat, SYS_sync_file_range,
];
/// Of those aarch64 has four, which `libc` does not name for all its C libraries: renameat, sync_file_range, getrlimit,
/// setrlimit (include/uapi/asm-generic/unistd.h).
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[38, 84, 163, 164];

/// Calls that are refused outright: other programs, other users, other rights, the host's settings.
#[rustfmt::skip]
const NEVER: &[c_long] = &[
    SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_mount,
    SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_setns, SYS_unshare, SYS_bpf, SYS_perf_event_open,
    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_swapon,
    SYS_swapoff, SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid,
    SYS_setgroups, SYS_setfsuid, SYS_setfsgid, SYS_capset, SYS_settimeofday, SYS_clock_settime,
    SYS_adjtimex, SYS_clock_adjtime, SYS_sethostname, SYS_setdomainname, SYS_keyctl, SYS_add_key,
    SYS_request_key, SYS_userfaultfd, SYS_personality, SYS_quotactl, SYS_acct, SYS_syslog,
    SYS_open_by_handle_at, SYS_mknodat, SYS_fchown, SYS_fchownat, SYS_connect, SYS_rt_sigqueueinfo,
    SYS_tkill, SYS_sendmsg, SYS_sendmmsg,
];

/// Input pretended on a terminal: `TIOCSTI` and the selection of `TIOCLINUX` (include/uapi/asm-generic/ioctls.h).
const PRETENDED_INPUT: [u64; 2] = [0x5412, 0x541C];
/// Netlink families about the network: routes and links, and the generic one.
const NETLINK: [u64; 2] = [0, 16];

/// Bytes of an address of netlink (`sockaddr_nl`, include/uapi/linux/netlink.h).
const NETLINK_ADDRESS: u64 = 12;
/// The options of sockets that a recording sets: how long it waits, in both forms (`SO_RCVTIMEO_OLD`, `SO_SNDTIMEO_OLD`,
/// and `_NEW`, include/uapi/asm-generic/socket.h).
const TIMEOUTS: [u64; 4] = [20, 21, 66, 67];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type Built<T> = std::result::Result<T, BackendError>;

/// Lays both filters on the calling thread and all it starts later; descriptors from `rings` on are those of rings.
pub(super) fn filter(rings: RawFd) -> Result<(), String> {
    let lay = |program: Built<BpfProgram>| {
        apply_filter(&program.map_err(|e| e.to_string())?).map_err(|e| match e {
            seccompiler::Error::Seccomp(e) if e.raw_os_error() == Some(libc::ENOSYS) => {
                "this kernel has no seccomp(2)".to_owned()
            }
            e => e.to_string(),
        })
    };
    // The stricter answer of the two holds (seccomp(2)). The list comes last, for laying a filter is not on it.
    let refused = refused(std::process::id(), rings)
        .and_then(|rules| compile(rules, SeccompAction::Allow, SeccompAction::Errno(errno(libc::EPERM))));
    lay(refused)?;
    lay(compile(allowed(), SeccompAction::Errno(errno(libc::ENOSYS)), SeccompAction::Allow))
}

fn errno(code: i32) -> u32 {
    code.unsigned_abs()
}

fn compile(rules: Rules, otherwise: SeccompAction, matched: SeccompAction) -> Built<BpfProgram> {
    let arch = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, otherwise, matched, arch)?.try_into()
}

fn allowed() -> Rules {
    // What is refused exists: the other filter answers.
    let all = [FILES, WAITING, PROCESS, SOCKETS, OLDER, NEVER];
    all.into_iter().flatten().map(|call| (number(*call), Vec::new())).collect()
}

fn number(call: c_long) -> i64 {
    call
}

/// The calls that are refused, some of them only with some arguments. `pid` is that of this process; descriptors from `rings`
/// on are those of rings.
fn refused(pid: u32, rings: RawFd) -> Built<Rules> {
    let mut rules: Rules = NEVER.iter().map(|call| (number(*call), Vec::new())).collect();
    let mut when = |call: c_long, conditions: Vec<SeccompCondition>| -> Built<()> {
        rules.entry(number(call)).or_default().push(SeccompRule::new(conditions)?);
        Ok(())
    };
    let arg = |index: u8, is: SeccompCmpOp, value: u64| SeccompCondition::new(index, Dword, is, value);
    let pid = u64::from(pid);
    // Threads, but no processes: a child would not be ours to end.
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    when(SYS_clone, vec![arg(0, MaskedEq(thread), 0)?])?;
    // Packet sockets come from the helper; of the others only those of these families.
    let families = [libc::AF_UNIX, libc::AF_NETLINK];
    let others = families.iter().map(|family| arg(0, Ne, u64::from(family.unsigned_abs())));
    when(SYS_socket, others.collect::<Built<_>>()?)?;
    let netlink = u64::from(libc::AF_NETLINK.unsigned_abs());
    when(SYS_socket, vec![arg(0, Eq, netlink)?, arg(2, Ne, NETLINK[0])?, arg(2, Ne, NETLINK[1])?])?;
    sockets(&mut when, rings)?;
    for request in PRETENDED_INPUT {
        when(SYS_ioctl, vec![arg(1, Eq, request)?])?;
    }
    // Signals and limits of this process only.
    for call in [SYS_kill, SYS_tgkill] {
        when(call, vec![arg(0, Ne, pid)?])?;
    }
    when(SYS_prlimit64, vec![arg(0, Ne, 0)?, arg(0, Ne, pid)?])?;
    // A file of root's that gives root's rights to whoever runs it.
    for bit in [mode(libc::S_ISUID), mode(libc::S_ISGID)] {
        let (set, creating) = (MaskedEq(bit), u64::from(libc::O_CREAT.unsigned_abs()));
        when(SYS_fchmod, vec![arg(1, set.clone(), bit)?])?;
        when(SYS_fchmodat, vec![arg(2, set.clone(), bit)?])?;
        when(SYS_openat, vec![arg(2, MaskedEq(creating), creating)?, arg(3, set.clone(), bit)?])?;
        #[cfg(target_arch = "x86_64")]
        {
            when(SYS_chmod, vec![arg(1, set.clone(), bit)?])?;
            when(SYS_open, vec![arg(1, MaskedEq(creating), creating)?, arg(2, set, bit)?])?;
        }
    }
    Ok(rules)
}

/// Calls that write to the descriptor which is their argument number so and so. `sendmsg` and `sendmmsg` are refused for all
/// of them: they hide where to, and what descriptors they pass on.
const WRITING: [(c_long, u8); 10] = [
    (SYS_write, 0),
    (SYS_writev, 0),
    (SYS_pwrite64, 0),
    (SYS_pwritev, 0),
    (SYS_pwritev2, 0),
    (SYS_sendto, 0),
    (SYS_sendfile, 0),
    (SYS_splice, 2),
    (SYS_tee, 1),
    (SYS_copy_file_range, 2),
];

/// Packet sockets, which are the descriptors from `rings` on, stay what the helper makes them: with their interface, their
/// filter and their ring. Nothing is sent through them, and none gets another number: no call that gives one takes them, and
/// none is received, for `sendmsg` is refused.
fn sockets(when: &mut impl FnMut(c_long, Vec<SeccompCondition>) -> Built<()>, rings: RawFd) -> Built<()> {
    let arg = |index: u8, is: SeccompCmpOp, value: u64| SeccompCondition::new(index, Dword, is, value);
    let level = u64::from(libc::SOL_SOCKET.unsigned_abs());
    when(SYS_setsockopt, vec![arg(1, Ne, level)?])?;
    let others = TIMEOUTS.iter().map(|option| arg(2, Ne, *option)).collect::<Built<_>>()?;
    when(SYS_setsockopt, others)?;
    // An address of a packet socket, or of a host, is longer than the one of netlink.
    when(SYS_bind, vec![arg(2, Gt, NETLINK_ADDRESS)?])?;
    let rings = u64::from(rings.unsigned_abs());
    for (call, place) in WRITING {
        when(call, vec![arg(place, Ge, rings)?])?;
    }
    for call in [SYS_dup, SYS_dup3] {
        when(call, vec![arg(0, Ge, rings)?])?;
    }
    #[cfg(target_arch = "x86_64")]
    when(SYS_dup2, vec![arg(0, Ge, rings)?])?;
    for command in [libc::F_DUPFD, libc::F_DUPFD_CLOEXEC] {
        when(SYS_fcntl, vec![arg(0, Ge, rings)?, arg(1, Eq, u64::from(command.unsigned_abs()))?])?;
    }
    Ok(())
}

fn mode(bit: c_uint) -> u64 {
    u64::from(bit)
}
