//! One table of the file, read key by key.
//!
//! A [`Section`] is opened with the list of keys that it may hold; every other key is a mistake at
//! once. Each reading method gives a usable value whatever the file holds (the default, or none)
//! and notes what was wrong, so that reading always goes on to the end of the file.

use super::mistake::Findings;
use super::suggest::{either, nearest};
use super::{Placed, ROOT_KEYS, TABLES};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The tables at the top of the file.
pub(super) struct Root<'t> {
    table: &'t DeTable<'t>,
}

/// One table and the findings of the whole file.
pub(super) struct Section<'t, 'f, 'x> {
    /// As written in a heading, without the brackets.
    name: &'static str,
    /// Where the heading stands; the start of the file when the table is absent.
    at: usize,
    table: Option<&'t DeTable<'t>>,
    keys: &'static [&'static str],
    findings: &'f mut Findings<'x>,
}

impl<'t> Root<'t> {
    /// The table `[name]`; an absent one holds nothing.
    pub(super) fn table<'f, 'x>(
        &self,
        name: &'static str,
        keys: &'static [&'static str],
        findings: &'f mut Findings<'x>,
    ) -> Section<'t, 'f, 'x> {
        match self.value(name) {
            None => Section {
                name,
                at: 0,
                table: None,
                keys,
                findings,
            },
            Some(value) => {
                let at = value.span().start;
                if let DeValue::Table(table) = value.get_ref() {
                    Section::open(name, Placed { at, value: table }, keys, findings)
                } else {
                    let found = kind(value.get_ref());
                    findings.add(at, format!("`{name}` is {found}; write `[{name}]`"));
                    Section {
                        name,
                        at,
                        table: None,
                        keys,
                        findings,
                    }
                }
            }
        }
    }

    /// Where `[name]` or the first `[[name]]` stands; the start of the file when it is absent.
    pub(super) fn at(&self, name: &str) -> usize {
        self.value(name).map_or(0, |value| value.span().start)
    }

    /// The tables `[[name]]` in the order of the file, each opened with its keys; what is no table
    /// is noted. `one` and `several`: what one of them is, and all of them are, called.
    pub(super) fn entries<T>(
        &self,
        (name, one, several): (&'static str, &str, &str),
        keys: &'static [&'static str],
        findings: &mut Findings<'_>,
        mut read: impl FnMut(&mut Section<'t, '_, '_>) -> T,
    ) -> Vec<T> {
        let Some(value) = self.value(name) else {
            return Vec::new();
        };
        let DeValue::Array(entries) = value.get_ref() else {
            let message = if value.get_ref().is_table() {
                format!("there may be several {several}; write `[[{name}]]`")
            } else {
                let found = kind(value.get_ref());
                format!("`{name}` is {found}; write `[[{name}]]` above the keys of each {one}")
            };
            findings.add(value.span().start, message);
            return Vec::new();
        };
        let mut values = Vec::new();
        for entry in entries.iter().filter(|entry| is_written(entry)) {
            let at = entry.span().start;
            if let DeValue::Table(table) = entry.get_ref() {
                let table = Placed { at, value: table };
                values.push(read(&mut Section::open(name, table, keys, findings)));
            } else {
                let found = kind(entry.get_ref());
                let message =
                    format!("{one} is {found} here; write `[[{name}]]` above the keys of each");
                findings.add(at, message);
            }
        }
        values
    }

    /// The value under a top-level name, unless the parser made it up after a syntax error.
    pub(super) fn value(&self, name: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table.get(name).filter(|value| is_written(value))
    }
}

impl<'t, 'f, 'x> Section<'t, 'f, 'x> {
    /// The top of the file; notes what does not belong there.
    pub(super) fn root(table: &'t DeTable<'t>, findings: &mut Findings<'x>) -> Root<'t> {
        for (key, _) in table
            .iter()
            .filter(|(key, _)| !ROOT_KEYS.contains(&key.get_ref().as_ref()))
        {
            let word = key.get_ref();
            let message = match (home_of(word), nearest(word, ROOT_KEYS.iter().copied())) {
                (Some(home), _) => format!("unknown key `{word}` here; it belongs in {home}"),
                (None, Some(near)) => {
                    format!("unknown table `{word}`; did you mean {}?", heading(near))
                }
                (None, None) => {
                    let known = either(ROOT_KEYS.iter().copied());
                    format!("unknown table `{word}`; there are {known}")
                }
            };
            findings.add(key.span().start, message);
        }
        Root { table }
    }

    /// A table found somewhere; notes the keys that do not belong there.
    pub(super) fn open(
        name: &'static str,
        table: Placed<&'t DeTable<'t>>,
        keys: &'static [&'static str],
        findings: &'f mut Findings<'x>,
    ) -> Self {
        for (key, _) in table
            .value
            .iter()
            .filter(|(key, _)| !keys.contains(&key.get_ref().as_ref()))
        {
            let word = key.get_ref();
            let message = match (nearest(word, keys.iter().copied()), home_of(word)) {
                (Some(near), _) => format!("unknown key `{word}`; did you mean `{near}`?"),
                (None, Some(home)) => format!("unknown key `{word}` here; it belongs in {home}"),
                (None, None) => {
                    let known = either(keys.iter().copied());
                    format!("unknown key `{word}`; {} takes {known}", heading(name))
                }
            };
            findings.add(key.span().start, message);
        }
        Self {
            name,
            at: table.at,
            table: Some(table.value),
            keys,
            findings,
        }
    }

    /// Where this table begins.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The findings, for checks of the caller's own.
    pub(super) fn findings(&mut self) -> &mut Findings<'x> {
        self.findings
    }

    /// Whatever stands under `key`.
    pub(super) fn value(&self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        debug_assert!(
            self.keys.contains(&key),
            "`{key}` is read but not listed in `KEYS`"
        );
        self.table?.get(key).filter(|value| is_written(value))
    }

    /// A whole number within `range`.
    pub(super) fn number<T>(&mut self, key: &'static str, range: RangeInclusive<T>, default: T) -> T
    where
        T: Copy + Display + PartialOrd + TryFrom<i128>,
    {
        self.number_found(key, range, default).unwrap_or(default)
    }

    /// A whole number within `range` that has no default; absent or wrong, it is noted.
    pub(super) fn number_required<T>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<T>,
        example: T,
    ) -> Option<T>
    where
        T: Copy + Display + PartialOrd + TryFrom<i128>,
    {
        if self.value(key).is_none() {
            self.absent(key, &example.to_string());
        }
        self.number_found(key, range, example)
    }

    /// A time written as a whole number of milliseconds.
    pub(super) fn milliseconds(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        default: Duration,
    ) -> Duration {
        let default = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.number(key, range, default))
    }

    /// A time written as a whole number of seconds.
    pub(super) fn seconds(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        default: Duration,
    ) -> Duration {
        Duration::from_secs(self.number(key, range, default.as_secs()))
    }

    /// `true` or `false`.
    pub(super) fn truth(&mut self, key: &'static str, default: bool) -> bool {
        let Some(value) = self.value(key) else {
            return default;
        };
        let truth = value.get_ref().as_bool();
        if truth.is_none() {
            let found = kind(value.get_ref());
            let message = format!("`{key}` is {found}; write `{key} = true` or `{key} = false`");
            self.findings.add(value.span().start, message);
        }
        truth.unwrap_or(default)
    }

    /// A list of whole numbers within `range`, if it is there and right.
    pub(super) fn numbers(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u16>,
        example: u16,
    ) -> Option<Vec<u16>> {
        let value = self.value(key)?;
        let (least, most) = (range.start(), range.end());
        let wants =
            format!("it takes a list of numbers from {least} to {most}: `{key} = [{example}]`");
        let DeValue::Array(entries) = value.get_ref() else {
            let message = format!("`{key}` is {}; {wants}", kind(value.get_ref()));
            self.findings.add(value.span().start, message);
            return None;
        };
        let mut numbers = Vec::new();
        for entry in entries.iter().filter(|entry| is_written(entry)) {
            let number = entry.get_ref().as_integer();
            let number =
                number.and_then(|number| u16::from_str_radix(number.as_str(), number.radix()).ok());
            match number.filter(|number| range.contains(number)) {
                Some(number) => numbers.push(number),
                None => {
                    let message = format!("`{key}` holds something else; {wants}");
                    self.findings.add(entry.span().start, message);
                    return None;
                }
            }
        }
        Some(numbers)
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&'static str, T)],
        default: T,
    ) -> T {
        let words = || choices.iter().map(|(word, _)| *word);
        let example = words().next().unwrap_or_default();
        let Some(text) = self.text(key, example) else {
            return default;
        };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text.value) {
            return *choice;
        }
        let message = match nearest(text.value, words()) {
            Some(near) => format!("`{key}` cannot be `{}`; did you mean `{near}`?", text.value),
            None => format!(
                "`{key}` cannot be `{}`; write {}",
                text.value,
                either(words())
            ),
        };
        self.findings.add(text.at, message);
        default
    }

    /// A text that has no default; absent or wrong, it is noted.
    pub(super) fn text_required(
        &mut self,
        key: &'static str,
        example: &str,
    ) -> Option<Placed<&'t str>> {
        if self.value(key).is_none() {
            self.absent(key, &format!("\"{example}\""));
        }
        self.text(key, example)
    }

    /// A text, if it is there.
    pub(super) fn text(&mut self, key: &'static str, example: &str) -> Option<Placed<&'t str>> {
        let value = self.value(key)?;
        let at = value.span().start;
        let text = value
            .get_ref()
            .as_str()
            .map(|text| Placed { at, value: text });
        if text.is_none() {
            let found = kind(value.get_ref());
            let message =
                format!("`{key}` is {found}; it takes a text such as `{key} = \"{example}\"`");
            self.findings.add(at, message);
        }
        text
    }

    /// A list of texts that has no default and is not empty; absent or wrong, it is noted.
    pub(super) fn texts_required(
        &mut self,
        key: &'static str,
        example: &str,
    ) -> Option<Vec<Placed<&'t str>>> {
        let Some(value) = self.value(key) else {
            self.absent(key, &format!("[\"{example}\"]"));
            return None;
        };
        let texts = self.texts(key, example)?;
        if texts.is_empty() {
            let message = format!("`{key}` is empty; write `{key} = [\"{example}\"]`");
            self.findings.add(value.span().start, message);
            return None;
        }
        Some(texts)
    }

    /// A list of texts, if it is there and right.
    pub(super) fn texts(
        &mut self,
        key: &'static str,
        example: &str,
    ) -> Option<Vec<Placed<&'t str>>> {
        let value = self.value(key)?;
        let wants = format!("it takes a list of texts: `{key} = [\"{example}\"]`");
        let DeValue::Array(entries) = value.get_ref() else {
            let found = kind(value.get_ref());
            let message = format!("`{key}` is {found}; {wants}");
            self.findings.add(value.span().start, message);
            return None;
        };
        let mut texts = Some(Vec::new());
        for entry in entries.iter().filter(|entry| is_written(entry)) {
            let at = entry.span().start;
            match entry.get_ref().as_str() {
                Some(value) => {
                    if let Some(texts) = &mut texts {
                        texts.push(Placed { at, value });
                    }
                }
                None => {
                    let found = kind(entry.get_ref());
                    self.findings
                        .add(at, format!("`{key}` holds {found}; {wants}"));
                    texts = None;
                }
            }
        }
        texts
    }

    /// A short text of letters, digits, `.`, `-` and `_`: fit for a log line and a metric's label.
    pub(super) fn name(&mut self, key: &'static str, text: &Placed<&'t str>) -> bool {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let good = (1..=64).contains(&text.value.len()) && text.value.chars().all(fits);
        if !good {
            let message = format!(
                "`{key}` is {:?}; it takes 1 to 64 letters, digits, `.`, `-` or `_`, such as \
                 `{key} = \"bridge-1\"`",
                text.value
            );
            self.findings.add(text.at, message);
        }
        good
    }

    fn number_found<T>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<T>,
        example: T,
    ) -> Option<T>
    where
        T: Copy + Display + PartialOrd + TryFrom<i128>,
    {
        let value = self.value(key)?;
        let (least, most) = (range.start(), range.end());
        let wants = format!("a whole number from {least} to {most}, such as `{key} = {example}`");
        let found = if let Some(integer) = value.get_ref().as_integer() {
            let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
            let number = number.and_then(|number| T::try_from(number).ok());
            if let Some(number) = number.filter(|number| range.contains(number)) {
                return Some(number);
            }
            integer.to_string()
        } else {
            kind(value.get_ref()).to_owned()
        };
        self.findings.add(
            value.span().start,
            format!("`{key}` is {found}; it takes {wants}"),
        );
        None
    }

    fn absent(&mut self, key: &'static str, example: &str) {
        let heading = heading(self.name);
        let message = format!("{heading} needs `{key}`, such as `{key} = {example}`");
        self.findings.add_absent(self.at, message);
    }
}

/// What a value is, in the words of somebody who does not read TOML every day.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a decimal point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A table's name as it is written in the file.
fn heading(name: &str) -> String {
    match name {
        "alias" | "peer" | "pool" | "zone" | "dns.host" | "policy.rule" | "bandwidth.subzone"
        | "bandwidth.pipe" | "bandwidth.link" | "bandwidth.rule" => format!("`[[{name}]]`"),
        "sip.listen" | "policy.listen" => "an entry of `listen`".to_owned(),
        name => format!("`[{name}]`"),
    }
}

/// The tables that a misplaced key belongs to.
fn home_of(key: &str) -> Option<String> {
    let homes = TABLES.iter().filter(|(_, keys)| keys.contains(&key));
    let homes: Vec<String> = homes.map(|(name, _)| heading(name)).collect();
    (!homes.is_empty()).then(|| homes.join(" or "))
}

/// Whether a value stands in the file. After a syntax error the parser fills in the number 0 with
/// an empty span, which is nothing that anybody wrote.
pub(super) fn is_written(value: &Spanned<DeValue<'_>>) -> bool {
    !value.span().is_empty()
}
