//! A list that a person reads as columns and a program as JSON objects.

use super::json::Json;
use std::fmt::Write;

/// What stands between two columns.
const GAP: &str = "  ";

/// One column: its name in JSON, which in capitals is its heading.
pub type Column = &'static str;

/// Rows under columns.
#[derive(Clone, Debug)]
pub struct Table {
    columns: &'static [Column],
    rows: Vec<Vec<Json>>,
}

impl Table {
    /// No rows yet.
    #[must_use]
    pub fn new(columns: &'static [Column]) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// One more row, a value for each column.
    pub fn row(&mut self, values: Vec<Json>) {
        debug_assert_eq!(values.len(), self.columns.len(), "a value for each column");
        self.rows.push(values);
    }

    /// As a list of objects.
    #[must_use]
    pub fn json(&self) -> Json {
        let object = |row: &Vec<Json>| {
            Json::Object(
                self.columns
                    .iter()
                    .copied()
                    .zip(row.iter().cloned())
                    .collect(),
            )
        };
        Json::List(self.rows.iter().map(object).collect())
    }

    /// As columns as wide as they must be; numbers stand to the right.
    #[must_use]
    pub fn text(&self) -> String {
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| cells(row)).collect();
        let columns = self.columns.iter().enumerate();
        let widths: Vec<usize> = columns
            .map(|(position, column)| {
                let cells = rows.iter().filter_map(|row| row.get(position));
                let widest = cells.map(|cell| cell.chars().count()).max();
                widest.unwrap_or(0).max(column.len())
            })
            .collect();
        let headings: Vec<String> = self
            .columns
            .iter()
            .map(|column| column.replace('_', " ").to_uppercase())
            .collect();
        let numbers: Vec<bool> = (0..self.columns.len())
            .map(|position| {
                let mut cells = self.rows.iter().filter_map(|row| row.get(position));
                cells.any(|cell| matches!(cell, Json::Whole(_) | Json::Number(_)))
            })
            .collect();
        let mut text = String::new();
        for row in std::iter::once(&headings).chain(&rows) {
            write_row(&mut text, row, &widths, &numbers);
        }
        text
    }
}

fn write_row(text: &mut String, row: &[String], widths: &[usize], numbers: &[bool]) {
    let mut line = String::new();
    for ((cell, width), is_number) in row.iter().zip(widths).zip(numbers) {
        let written = if *is_number {
            write!(line, "{cell:>width$}{GAP}")
        } else {
            write!(line, "{cell:<width$}{GAP}")
        };
        debug_assert!(written.is_ok(), "a text grows without failing");
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

fn cells(row: &[Json]) -> Vec<String> {
    row.iter().map(cell).collect()
}

/// A value as a person reads it; nothing known is a dash.
fn cell(value: &Json) -> String {
    match value {
        Json::Null => "-".to_owned(),
        Json::Bool(true) => "yes".to_owned(),
        Json::Bool(false) => "no".to_owned(),
        Json::Text(text) if text.is_empty() => "-".to_owned(),
        // What outsiders wrote must not move the cursor of whoever reads it.
        Json::Text(text) => text.replace(char::is_control, "?"),
        Json::List(values) if values.is_empty() => "-".to_owned(),
        Json::List(values) => values.iter().map(cell).collect::<Vec<_>>().join(","),
        Json::Object(members) => {
            let pair = |(name, value): &(&'static str, Json)| format!("{name}={}", cell(value));
            let pairs: Vec<String> = members.iter().map(pair).collect();
            if pairs.is_empty() {
                "-".to_owned()
            } else {
                pairs.join(",")
            }
        }
        Json::Number(number) => format!("{number:.1}"),
        Json::Whole(number) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["name", "in_use", "causes"]);
        table.row(vec![
            Json::text("bridge-1"),
            7u32.into(),
            Json::Object(vec![("busy", 2u32.into())]),
        ]);
        table.row(vec![
            Json::text("b\u{7}"),
            Json::Null,
            Json::List(Vec::new()),
        ]);
        table
    }

    #[test]
    fn columns_for_people() {
        let expected = "NAME      IN USE  CAUSES\nbridge-1       7  busy=2\nb?             -  -\n";
        assert_eq!(table().text(), expected);
    }

    #[test]
    fn objects_for_programs() {
        let json = table().json().to_string();
        assert!(json.starts_with(r#"[{"name":"bridge-1","in_use":7,"causes":{"busy":2}},"#));
    }
}
