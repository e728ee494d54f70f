//! Names of files that were removed while somebody had them open: a server that knows no open files keeps them so until
//! they are closed.

/// The kernel's NFS client and libfuse, each with the hexadecimal digits behind it (`nfs_sillyrename`, fs/nfs/unlink.c;
/// `hidden_name`, lib/fuse.c).
const PREFIXES: [(&str, usize); 2] = [(".nfs", 24), (".fuse_hidden", 16)];

/// Whether a name is one of those. What bears it was removed, and goes when it is closed.
pub fn is_leftover(name: &str) -> bool {
    let digits = |(prefix, digits): &(&str, usize)| {
        let rest = name.strip_prefix(prefix)?;
        Some(rest.len() == *digits && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    PREFIXES.iter().filter_map(digits).any(|is_one| is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_they_give() {
        for name in [".nfs00000000002c01a700000012", ".fuse_hidden0000000d00000003"] {
            assert!(is_leftover(name), "{name}");
        }
        for name in ["", ".nfs", ".nfs1", ".nfs00000000002c01a7000000zz", ".fuse_hidden", "nfs", "run.json"] {
            assert!(!is_leftover(name), "{name}");
        }
    }
}
