//! The mappings that come with the program.

/// Their names.
pub const NAMES: [&str; 3] = ["node_exporter", "kubernetes", "opentelemetry"];

pub(super) fn text(name: &str) -> Option<&'static str> {
    match name {
        "node_exporter" => Some(include_str!("presets/node_exporter.toml")),
        "kubernetes" => Some(include_str!("presets/kubernetes.toml")),
        "opentelemetry" => Some(include_str!("presets/opentelemetry.toml")),
        _ => None,
    }
}
