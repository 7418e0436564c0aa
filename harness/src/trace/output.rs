//! What a program wrote.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a program wrote: text where it is UTF-8.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Output {
    /// All of it.
    Text(String),
    /// All of it, where it is not UTF-8.
    Bytes(#[serde(with = "byte_string")] Vec<u8>),
    /// More than is kept of it (`Limits::output`).
    Cut {
        /// Its beginning.
        #[serde(with = "byte_string")]
        first: Vec<u8>,
        /// How many bytes came after that.
        left_out: u64,
        /// Their SHA-256, in hexadecimal: two outputs that are equal here are equal.
        digest: String,
    },
}

/// Bytes in RON are a byte string, `b"\xff"`, not a list of numbers.
mod byte_string {
    use serde::de::{self, Deserializer, Visitor};
    use serde::ser::Serializer;
    use std::fmt;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a byte string such as b\"\\xff\"")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}

impl Output {
    /// Its bytes, as far as they were kept.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Output::Text(text) => text.as_bytes(),
            Output::Bytes(bytes) => bytes,
            Output::Cut { first, .. } => first,
        }
    }

    /// How many bytes came after those that were kept.
    pub fn left_out(&self) -> u64 {
        match self {
            Output::Text(_) | Output::Bytes(_) => 0,
            Output::Cut { left_out, .. } => *left_out,
        }
    }
}

impl From<Vec<u8>> for Output {
    fn from(bytes: Vec<u8>) -> Output {
        String::from_utf8(bytes).map_or_else(|error| Output::Bytes(error.into_bytes()), Output::Text)
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.bytes()))?;
        match self {
            Output::Text(_) | Output::Bytes(_) => Ok(()),
            Output::Cut { left_out, digest, .. } => write!(f, " and {left_out} bytes {digest}"),
        }
    }
}
