//! XML in the few forms that CPL needs, read strictly: what is left out here is refused, not passed over.
//!
//! Elements, attributes, the five named entities and numbers of characters, namespaces. No document type, no comments,
//! no processing instruction but the declaration, no text between elements but space.

/// The namespaces that a VCS knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// RFC 3880.
    Cpl,
    /// The vendor's own elements.
    Taa,
}

/// An element with all that is in it.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) space: Space,
    pub(super) name: String,
    /// Those without a prefix; those with one say how to validate, and are passed over.
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Self>,
}

const CPL: &str = "urn:ietf:params:xml:ns:cpl";
const TAA: &str = "http://www.tandberg.net/cpl-extensions";
/// How deep elements may stand in each other.
const DEPTH_MAX: usize = 64;

/// Reads a document.
pub(super) fn read(text: &str) -> Result<Element, String> {
    let mut reader = Reader {
        rest: text,
        spaces: Vec::new(),
    };
    if reader.rest.starts_with("<?xml ") {
        let end = reader
            .rest
            .find("?>")
            .ok_or("a declaration without an end")?;
        reader.skip(end + 2);
    }
    reader.space();
    let root = reader.element(0)?;
    reader.space();
    if reader.rest.is_empty() {
        Ok(root)
    } else {
        Err(format!("after the document stands {}", reader.glance()))
    }
}

struct Reader<'t> {
    rest: &'t str,
    /// Prefix and address, the innermost last.
    spaces: Vec<(String, String)>,
}

impl<'t> Reader<'t> {
    fn element(&mut self, depth: usize) -> Result<Element, String> {
        if depth > DEPTH_MAX {
            return Err("elements stand too deep in each other".into());
        }
        self.expect("<")?;
        let qualified = self.name()?;
        let outer = self.spaces.len();
        let mut attributes: Vec<(String, String)> = Vec::new();
        while self.rest.starts_with(is_space) {
            self.space();
            if self.rest.starts_with(['/', '>']) {
                break;
            }
            let (name, value) = self.attribute()?;
            if attributes.iter().any(|(known, _)| *known == name) {
                return Err(format!("{name} stands twice in <{qualified}>"));
            }
            if name == "xmlns" {
                self.spaces.push((String::new(), value.clone()));
            } else if let Some(prefix) = name.strip_prefix("xmlns:") {
                self.spaces.push((prefix.to_owned(), value.clone()));
            }
            attributes.push((name, value));
        }
        let (prefix, name) = qualified.split_once(':').unwrap_or(("", qualified));
        let space = self.space_of(prefix)?;
        for (name, _) in &attributes {
            if let Some((prefix, _)) = name.split_once(':') {
                self.check_prefix(prefix)?;
            }
        }
        attributes.retain(|(name, _)| !name.contains(':') && name != "xmlns");
        let mut children = Vec::new();
        if self.rest.starts_with("/>") {
            self.skip(2);
        } else {
            self.expect(">")?;
            self.space();
            while !self.rest.starts_with("</") {
                children.push(self.element(depth + 1)?);
                self.space();
            }
            self.skip(2);
            if self.name()? != qualified {
                return Err(format!("<{qualified}> is not closed"));
            }
            self.space();
            self.expect(">")?;
        }
        self.spaces.truncate(outer);
        Ok(Element {
            space,
            name: name.to_owned(),
            attributes,
            children,
        })
    }

    fn attribute(&mut self) -> Result<(String, String), String> {
        let name = self.name()?;
        self.space();
        self.expect("=")?;
        self.space();
        let quote = if self.rest.starts_with('\'') {
            "'"
        } else {
            "\""
        };
        self.expect(quote)?;
        let end = self
            .rest
            .find(quote)
            .ok_or_else(|| format!("the value of {name} has no end"))?;
        let value = text(self.rest.get(..end).unwrap_or_default())?;
        self.skip(end + 1);
        Ok((name.to_owned(), value))
    }

    fn name(&mut self) -> Result<&'t str, String> {
        let is_other = |character: char| {
            !(character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | ':'))
        };
        let end = self.rest.find(is_other).unwrap_or(self.rest.len());
        let name = self.rest.get(..end).unwrap_or_default();
        if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            return Err(format!("no name at {}", self.glance()));
        }
        self.skip(end);
        Ok(name)
    }

    fn space_of(&self, prefix: &str) -> Result<Space, String> {
        let declared = self.spaces.iter().rev();
        let mut declared = declared.filter(|(known, _)| known == prefix);
        match declared.next().map(|(_, address)| address.as_str()) {
            Some(CPL) => Ok(Space::Cpl),
            Some(TAA) => Ok(Space::Taa),
            Some(other) => Err(format!("a VCS knows nothing of {other}")),
            None => Err(format!("the prefix {prefix:?} is not declared")),
        }
    }

    fn check_prefix(&self, prefix: &str) -> Result<(), String> {
        let is_known = matches!(prefix, "xml" | "xmlns")
            || self.spaces.iter().any(|(known, _)| known == prefix);
        is_known
            .then_some(())
            .ok_or_else(|| format!("the prefix {prefix:?} is not declared"))
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        if !self.rest.starts_with(wanted) {
            return Err(format!("{wanted} is missing at {}", self.glance()));
        }
        self.skip(wanted.len());
        Ok(())
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches(is_space);
    }

    fn skip(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default();
    }

    fn glance(&self) -> String {
        let glance: String = self.rest.chars().take(24).collect();
        if glance.is_empty() {
            "the end".to_owned()
        } else {
            format!("{glance:?}")
        }
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// The value of an attribute, its references resolved.
fn text(raw: &str) -> Result<String, String> {
    if let Some(wrong) = raw
        .chars()
        .find(|character| *character == '<' || *character < ' ')
    {
        return Err(format!("{wrong:?} in a value"));
    }
    let mut pieces = raw.split('&');
    let mut value = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once(';').ok_or("a & that begins nothing")?;
        value.push(character(name).ok_or_else(|| format!("&{name}; is not known"))?);
        value.push_str(rest);
    }
    Ok(value)
}

fn character(name: &str) -> Option<char> {
    let number = match name {
        "amp" => return Some('&'),
        "apos" => return Some('\''),
        "gt" => return Some('>'),
        "lt" => return Some('<'),
        "quot" => return Some('"'),
        other => other.strip_prefix('#')?,
    };
    let code = match number.strip_prefix('x') {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code).filter(|character| *character >= ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"<cpl xmlns="urn:ietf:params:xml:ns:cpl" xmlns:taa="http://www.tandberg.net/cpl-extensions""#;

    #[test]
    fn elements_and_values_are_read() {
        let root = read(&format!(
            "<?xml version='1.0'?>\r\n{HEAD}\n>\t<taa:location  url = 'a&amp;b&#64;c&#x41;'\r\n><proxy/></taa:location ></cpl>\n"
        ));
        let root = root.unwrap();
        assert_eq!((root.space, root.name.as_str()), (Space::Cpl, "cpl"));
        let location = &root.children[0];
        assert_eq!(
            (location.space, location.name.as_str()),
            (Space::Taa, "location")
        );
        assert_eq!(location.attributes, [("url".into(), "a&b@cA".into())]);
        assert_eq!(location.children[0].name, "proxy");
    }

    #[test]
    fn what_is_not_needed_is_refused() {
        for (body, why) in [
            ("><!-- a --></cpl>", "no name"),
            ("><![CDATA[a]]></cpl>", "no name"),
            ("><?a b?></cpl>", "no name"),
            (">text</cpl>", "< is missing"),
            ("><proxy></cpl>", "is not closed"),
            ("><proxy/>", "missing at the end"),
            ("/>a", "after the document"),
            ("><proxy a='1' a='2'/></cpl>", "stands twice"),
            ("><proxy a=1/></cpl>", "missing"),
            ("><proxy a='&b;'/></cpl>", "not known"),
            ("><proxy a='&#0;'/></cpl>", "not known"),
            ("><proxy a='a&'/></cpl>", "begins nothing"),
            ("><proxy a='<'/></cpl>", "in a value"),
            ("><proxy a='\n'/></cpl>", "in a value"),
            ("><b:proxy/></cpl>", "not declared"),
            ("><proxy b:a='1'/></cpl>", "not declared"),
            ("><proxy xmlns='urn:other'/></cpl>", "knows nothing"),
        ] {
            let error = read(&format!("{HEAD}{body}")).unwrap_err();
            assert!(error.contains(why), "{body}: {error}");
        }
        for text in ["", "<!DOCTYPE cpl><cpl/>", "<cpl/>", "\u{feff}<cpl/>"] {
            assert!(read(text).is_err(), "{text}");
        }
        let deep = "<a>".repeat(100);
        assert!(
            read(&format!("{HEAD}>{deep}"))
                .unwrap_err()
                .contains("too deep")
        );
    }
}
