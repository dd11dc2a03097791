//! Bytes in a form of their own: Avro's `bytes`; hexadecimal digits in JSON.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    if !serializer.is_human_readable() {
        return apache_avro::serde::bytes::serialize(bytes, serializer);
    }
    serializer.serialize_str(&const_hex::encode(bytes))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    if !deserializer.is_human_readable() {
        return apache_avro::serde::bytes::deserialize(deserializer);
    }
    let digits = String::deserialize(deserializer)?;
    // Decoding alone would let `0x` pass before them.
    let decoded = const_hex::check_raw(&digits).then(|| const_hex::decode(&digits).ok()).flatten();
    decoded.ok_or_else(|| D::Error::custom("not pairs of hexadecimal digits"))
}
