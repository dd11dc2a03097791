//! `tidegate schemas asyncapi`: the topics as an AsyncAPI document, or as one page.
//!
//! ```text
//! catalogue ─> tidegate_schemas::asyncapi::document ─┬─> JSON to stdout
//!                                                    └─> --html: a section a topic, a row a field
//! ```

use std::path::PathBuf;

use serde_json::Value;
use tidegate_backtest::html::escape;
use tidegate_schemas::asyncapi::document;

use crate::exit::{self, failure};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}\
    table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;\
    border-bottom:1px solid #8886}code{font-size:.95em}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}a{color:#8bf}}";

/// What to print.
#[derive(Debug, clap::Args)]
pub(super) struct Asyncapi {
    /// Write a page for people here instead
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Asyncapi {
    pub(super) fn run(self, prefix: &str) -> anyhow::Result<()> {
        let document = document(prefix, env!("CARGO_PKG_VERSION"));
        let Some(path) = self.html else { return super::super::say(serde_json::to_string_pretty(&document)?) };
        std::fs::write(&path, page(&document))
            .map_err(|e| failure(exit::CANNOT_CREATE, format!("{} cannot be written: {e}", path.display())))
    }
}

fn page(document: &Value) -> String {
    let info = &document["info"];
    let title = format!("{} {}", text(&info["title"]), text(&info["version"]));
    let channels = document["channels"].as_object().into_iter().flatten();
    let sections = channels.map(|(name, channel)| section(name, channel, document)).collect::<String>();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         </head>\n<body>\n<h1>{title}</h1>\n<p>{}</p>\n{sections}</body>\n</html>\n",
        text(&info["description"])
    )
}

/// A topic: where it is, who writes it, its headers and fields.
fn section(name: &str, channel: &Value, document: &Value) -> String {
    let messages = channel["messages"].as_object();
    let message_name = messages.and_then(|all| all.keys().next()).map_or("", String::as_str);
    let message = &document["components"]["messages"][message_name];
    let is_input = document["operations"].get(format!("receive{message_name}")).is_some();
    let who = if is_input { "tidegate reads it" } else { "tidegate writes it" };
    let mut rows = String::new();
    for (header, about) in message["headers"]["properties"].as_object().into_iter().flatten() {
        rows.push_str(&row(&format!("header {header}"), "string", "", &text(&about["description"])));
    }
    for field in message["payload"]["schema"]["fields"].as_array().into_iter().flatten() {
        let (name, unit) = (text(&field["name"]), text(&field["unit"]));
        rows.push_str(&row(&name, &escape(&type_of(&field["type"])), &unit, &text(&field["doc"])));
    }
    format!(
        "<section id=\"{name}\">\n<h2><code>{}</code></h2>\n<p>{} {who}. {}: {}</p>\n<table>\n\
         <thead><tr><th>field</th><th>type</th><th>unit</th><th>what</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</section>\n",
        text(&channel["address"]),
        text(&channel["description"]),
        escape(message_name),
        text(&message["summary"]),
    )
}

fn row(name: &str, kind: &str, unit: &str, about: &str) -> String {
    format!("<tr><td><code>{name}</code></td><td>{kind}</td><td>{unit}</td><td>{about}</td></tr>\n")
}

/// An Avro type in words; a union with null is optional.
fn type_of(avro: &Value) -> String {
    match avro {
        Value::String(name) => name.clone(),
        Value::Array(union) => union.iter().map(type_of).collect::<Vec<_>>().join(" or "),
        Value::Object(of) => match of["type"].as_str() {
            Some("array") => format!("array of {}", type_of(&of["items"])),
            Some("map") => format!("map of {}", type_of(&of["values"])),
            Some("enum") => of["symbols"].as_array().into_iter().flatten().map(type_of).collect::<Vec<_>>().join(", "),
            Some("record") => {
                let fields = of["fields"].as_array().into_iter().flatten();
                let named = fields
                    .map(|field| format!("{}: {}", field["name"].as_str().unwrap_or("?"), type_of(&field["type"])));
                format!("{{{}}}", named.collect::<Vec<_>>().join(", "))
            }
            _ => of.get("logicalType").or(of.get("type")).map(type_of).unwrap_or_default(),
        },
        _ => String::new(),
    }
}

fn text(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}
