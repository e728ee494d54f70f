//! What a reader must know of the files of an input.

/// Something of the files was not read, or is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilesRemark {
    /// All names together are longer than fit in memory.
    NamesTooLong,
    /// There are more files than are read.
    TooMany {
        /// How many are read.
        max: usize,
    },
    /// The tar cannot be read to its end.
    Damaged,
    /// A file reaches beyond the end of the tar.
    CutShort {
        /// Its path.
        file: String,
    },
    /// Members of the tar whose path leads outside, is too deep or is no text.
    Refused {
        /// How many.
        count: u64,
    },
}
