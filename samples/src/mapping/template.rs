//! Names made of labels: `{namespace}/{pod}`, `{instance|host}`.

use crate::Labels;

/// A name with places for labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Label {
        name: String,
        /// Without the port behind its last colon.
        is_host: bool,
    },
}

impl Template {
    /// Reads one.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| Err(format!("the name {text:?} {what}"));
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let Some((inside, after)) = behind.split_once('}') else { return wrong("has a { without its }") };
            if before.contains('}') {
                return wrong("has a } without its {");
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let (name, is_host) = match inside.split_once('|') {
                Some((name, "host")) => (name, true),
                Some(_) => return wrong("has something other than host behind a |"),
                None => (inside, false),
            };
            if name.is_empty() {
                return wrong("has braces without a label");
            }
            parts.push(Part::Label { name: name.to_owned(), is_host });
            rest = after;
        }
        if rest.contains('}') {
            return wrong("has a } without its {");
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        if parts.is_empty() { wrong("is empty") } else { Ok(Self(parts)) }
    }

    /// The name; `None` where a label is not there.
    pub(crate) fn render(&self, labels: &Labels<'_>) -> Option<String> {
        let mut name = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Label { name: label, is_host } => {
                    let value = labels.get(label)?;
                    name.push_str(if *is_host { host(value) } else { value });
                }
            }
        }
        Some(name)
    }
}

/// `HOST:PORT` without the port. An IPv6 address keeps its brackets.
fn host(address: &str) -> &str {
    match address.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_fill_the_places() {
        let labels = [("__name__", "m"), ("instance", "web-1:9100"), ("namespace", "shop"), ("six", "[::1]:9100")];
        let labels = Labels::new(labels).unwrap();
        for (text, wanted) in [
            ("{instance}", Some("web-1:9100")),
            ("{instance|host}", Some("web-1")),
            ("{six|host}", Some("[::1]")),
            ("{namespace|host}", Some("shop")),
            ("a-{namespace}/{instance|host}-z", Some("a-shop/web-1-z")),
            ("fixed", Some("fixed")),
            ("{namespace}/{pod}", None),
        ] {
            assert_eq!(Template::parse(text).unwrap().render(&labels).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for (text, why) in [
            ("", "is empty"),
            ("{a", "without its }"),
            ("a}", "without its {"),
            ("a}{b}", "without its {"),
            ("{}", "without a label"),
            ("{a|port}", "other than host"),
        ] {
            let said = Template::parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
