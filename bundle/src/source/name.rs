//! Names that a less trusted process gives to a more trusted one, or to a command: what they may look like.

/// Bytes of an interface's name at most, without its end (`IFNAMSIZ`, include/uapi/linux/if.h).
const INTERFACE_MAX: usize = 15;
/// Bytes of such a name at most, with an end of its own (`NAME_MAX`, include/uapi/linux/limits.h).
const FILE_MAX: usize = 250;

/// A name that the kernel would give to an interface (`dev_valid_name`, net/core/dev.c), and that no command takes for an
/// option.
pub fn is_interface(name: &str) -> bool {
    let bad = |c: char| c == '/' || c == ':' || c.is_ascii_whitespace() || c == '\x0b' || c == '\0';
    (1..=INTERFACE_MAX).contains(&name.len())
        && name != "."
        && name != ".."
        && !name.starts_with('-')
        && !name.contains(bad)
}

/// A name that is part of a file's: of a run, or of what libvirt knows, which may hold spaces and any script. No command
/// takes it for an option.
pub(crate) fn is_file_name(name: &str) -> bool {
    let bad = |c: char| c == '/' || c.is_control();
    (1..=FILE_MAX).contains(&name.len())
        && name != "."
        && name != ".."
        && !name.starts_with('-')
        && !name.contains(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_and_what_only_looks_like_one() {
        for name in ["eth0", "bond0.100", "vnet-12", "br_int", "a"] {
            assert!(is_interface(name) && is_file_name(name), "{name}");
        }
        for name in ["", ".", "..", "-h", "a/b", "unix:/x", "a b", "a\n", "0123456789abcdef"] {
            assert!(!is_interface(name), "{name}");
        }
        assert!(is_file_name("虚拟机 1 (copy)") && is_file_name("a:b"));
        for name in ["", "..", "--x", "a/b", "a\nb", "a\0"] {
            assert!(!is_file_name(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_name_is_an_option_or_a_path(name in "\\PC{0,20}|[-./a:]{0,4}") {
            for good in [is_interface(&name), is_file_name(&name)] {
                prop_assert!(!good || (!name.starts_with('-') && !name.contains('/') && !name.is_empty()));
            }
        }
    }
}
