//! The shell of a page, and the escaping of what comes from outside.

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// A whole page; `body` is markup.
pub(super) fn page(title: &str, lead: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n{lead}</header>\n<main>\n{body}</main>\n\
         <footer>1 point is 0.01 of the base quota. Times are UTC. The page needs nothing from elsewhere.</footer>\n\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    )
}

/// Text as it may stand in markup and in quoted attributes.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A figure or a dash.
pub(super) fn figure(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.decimals$}"))
}

/// Marks a cell that may be broken into lines.
pub(super) const SENTENCE: char = '\u{2028}';

/// A table that scrolls sideways where the screen is narrow; cells are markup. The row `own` stands out; cells that hold a
/// sentence begin with [`SENTENCE`], and so does the head of their column.
pub(super) fn table(name: &str, head: &[&str], rows: &[Vec<String>], own: Option<usize>) -> String {
    let cell = |cell: &String| match cell.strip_prefix(SENTENCE) {
        Some(text) => format!("<td class=\"text\">{text}</td>"),
        None => format!("<td>{cell}</td>"),
    };
    let cells = |cells: &[String]| cells.iter().map(cell).collect::<String>();
    let title = |cell: &&str| match cell.strip_prefix(SENTENCE) {
        Some(text) => format!("<th scope=\"col\" class=\"text\">{text}</th>"),
        None => format!("<th scope=\"col\">{cell}</th>"),
    };
    let head: String = head.iter().map(title).collect();
    let body: String = rows
        .iter()
        .enumerate()
        .map(|(index, row)| {
            let class = if own == Some(index) { " class=\"own\"" } else { "" };
            format!("<tr{class}>{}</tr>\n", cells(row))
        })
        .collect();
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n",
        escape(name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_files_cannot_become_markup() {
        let page = page("<script>x</script>", "", "");
        assert!(page.contains("<title>&lt;script&gt;x&lt;/script&gt;</title>"));
        assert_eq!(escape("a\"'&"), "a&quot;&#39;&amp;");
    }
}
