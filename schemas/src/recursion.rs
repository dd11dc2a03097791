//! Whether a schema's records may hold themselves. A value of such a schema can be nested as deep as it is long, and the
//! Avro reader goes down a stack frame a level: one record would end the process.

use apache_avro::Schema;

/// The name of a record that holds itself, where the schema has one.
pub(crate) fn recursive(schema: &Schema) -> Option<String> {
    let mut within = Vec::new();
    search(schema, &mut within).map(ToOwned::to_owned)
}

/// A reference is either to a record that it stands in, or to a type that was looked through where it is written out. Names
/// are compared without their namespaces, which references may leave out.
fn search<'a>(schema: &'a Schema, within: &mut Vec<&'a str>) -> Option<&'a str> {
    match schema {
        Schema::Ref { name } => within.contains(&name.name()).then(|| name.name()),
        Schema::Array(array) => search(&array.items, within),
        Schema::Map(map) => search(&map.types, within),
        Schema::Union(union) => union.variants().iter().find_map(|variant| search(variant, within)),
        Schema::Record(record) => {
            within.push(record.name.name());
            let found = record.fields.iter().find_map(|field| search(&field.schema, within));
            within.pop();
            found
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{VERSIONS, parsed};

    #[test]
    fn none_of_ours_is_recursive() {
        assert!(VERSIONS.iter().all(|v| recursive(parsed(v.id).unwrap()).is_none()));
    }

    #[test]
    fn records_that_hold_themselves_are_named_and_types_used_twice_are_not() {
        let of = |text: &str| recursive(&Schema::parse_str(text).unwrap());
        let twice = r#"{"type":"record","name":"R","fields":[
            {"name":"a","type":{"type":"record","name":"S","fields":[]}},{"name":"b","type":"S"}]}"#;
        assert_eq!(of(twice), None);
        let around = r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":{"type":"map","values":
            {"type":"record","name":"S","fields":[{"name":"b","type":{"type":"array","items":["null","n.R"]}}]}}}]}"#;
        assert_eq!(of(around).as_deref(), Some("R"));
    }
}
