//! Who we are to a peer that asks: `realm`, `user` and `password` of a `[[peer]]`.

use super::section::Section;
use std::fmt;

/// Our name and password in a realm of one peer.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// `realm`: what the peer calls the place where it knows us.
    pub realm: String,
    /// `user`: our name there.
    pub user: String,
    /// `password`: shown nowhere.
    pub password: String,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({}@{}:…)", self.user, self.realm)
    }
}

impl Account {
    /// All three keys or none; an empty text is none.
    pub(super) fn read(section: &mut Section<'_, '_, '_>) -> Option<Self> {
        let keys = [
            ("realm", "bridges.example.com"),
            ("user", "baton"),
            ("password", "secret"),
        ];
        let texts = keys.map(|(key, example)| {
            let text = section
                .text(key, example)
                .filter(|text| !text.value.is_empty())?;
            let fits = |c: char| (' '..='~').contains(&c) && !matches!(c, '"' | '\\');
            let is_good = text.value.len() <= 128 && text.value.chars().all(fits);
            if !is_good {
                // Without the text: it may be a password.
                let message = format!(
                    "`{key}` takes up to 128 plain characters, without `\"` and `\\`, such as \
                     `{key} = \"{example}\"`"
                );
                section.findings().add(text.at, message);
            }
            Some((text.at, text.value, is_good))
        });
        let at = texts.iter().flatten().map(|(at, ..)| *at).next()?;
        let [Some(realm), Some(user), Some(password)] = texts else {
            let message = "`realm`, `user` and `password` belong together; write all three";
            section.findings().add(at, message);
            return None;
        };
        [realm, user, password]
            .iter()
            .all(|(_, _, is_good)| *is_good)
            .then(|| Self {
                realm: realm.1.to_owned(),
                user: user.1.to_owned(),
                password: password.1.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn read(account: &str) -> Result<Config, Vec<String>> {
        let text = format!(
            "[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\n\
             [[peer]]\nname = \"a\"\nat = \"udp:127.0.0.1:5180\"\nsessions_max = 1\n{account}"
        );
        let told = |mistakes: Vec<crate::config::Mistake>| {
            let texts = mistakes.iter().map(|mistake| mistake.message().to_owned());
            texts.collect()
        };
        Config::parse(&text, "f").map_err(told)
    }

    #[test]
    fn all_three_or_none() {
        let config = read("realm = \"r\"\nuser = \"u\"\npassword = \"secret\"").unwrap();
        let account = config.peers[0].account.clone().unwrap();
        assert_eq!(account.password, "secret");
        assert!(!format!("{config:?}").contains("secret"));
        assert_eq!(read("").unwrap().peers[0].account, None);
        assert_eq!(read("realm = \"\"").unwrap().peers[0].account, None);
        let told = "`realm`, `user` and `password` belong together; write all three";
        assert_eq!(read("user = \"u\"").unwrap_err(), [told]);
        let told = "`password` takes up to 128 plain characters, without `\"` and `\\`, such as \
                    `password = \"secret\"`";
        let wrong = "realm = \"r\"\nuser = \"u\"\npassword = 'a\"b'";
        assert_eq!(read(wrong).unwrap_err(), [told]);
    }
}
