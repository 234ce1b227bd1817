//! `[policy]` and its rules, right and wrong.

use super::*;
use crate::config::{Config, Mistake};
use policy::{Action, Kind};

const REST: &str = "[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\n[[peer]]\nname = \"a\"\n\
    at = \"udp:127.0.0.1:5180\"\nsessions_max = 1\nalias = \"6001{number}@b.example.com\"\n";

fn read(text: &str) -> Result<Policy, Vec<String>> {
    let told = |mistakes: Vec<Mistake>| {
        let texts = mistakes.iter().map(|mistake| mistake.message().to_owned());
        texts.collect()
    };
    let config = Config::parse(&format!("{REST}{text}"), "f");
    config.map(|config| config.policy).map_err(told)
}

#[test]
fn what_is_written_is_read() {
    let policy = read(
        "[policy]\nlisten = [\"http:127.0.0.1:8080\", { at = \"http:0.0.0.0:80\", redirect = \
         \"https://b.example.com:8443\" }]\nuser = \"vcs\"\npassword_hash = \"$argon2id$x\"\n\
         paths = [\"/p\"]\nplus = \"literal\"\nattempts = [\"INVITE\", \"LRQ\"]\n\
         lease_seconds = 60\nnot_started = \"403\"\n\
         [[policy.rule]]\nname = \"no\"\nfor = \"admin\"\nauthenticated = false\n\
         alias = '9(?!11).*'\naddresses = [\"10.0.0.0/8\", \"192.0.2.1\"]\nprotocol = \"h323\"\n\
         action = \"reject\"\nreason = \"Not without a name\"\n\
         [[policy.rule]]\nname = \"fork\"\nfor = \"user\"\naction = \"route\"\n\
         to = [\"desk@x\", \"phone@x\"]\ntimeout_seconds = 20\non_failure = \"mail@x\"",
    )
    .expect("right");
    assert_eq!(policy.listen[0].scheme, PolicyScheme::Http);
    let to = "https://b.example.com:8443".to_owned();
    assert_eq!(policy.listen[1].scheme, PolicyScheme::Redirect(to));
    assert!(matches!(policy.access, PolicyAccess::Hash { .. }));
    assert!(!format!("{policy:?}").contains("argon2id"));
    assert_eq!(policy.paths, ["/p"]);
    let service = &policy.service;
    assert_eq!((service.plus, service.not_started), (Plus::Literal, 403));
    assert_eq!(service.attempts, [Method::Invite, Method::Lrq]);
    assert_eq!(service.lease, Duration::from_secs(60));
    let [no, fork] = &service.rules[..] else {
        panic!("{:?}", service.rules)
    };
    assert_eq!((no.kind, no.addresses.len()), (Kind::Admin, 2));
    let reason = "Not without a name".to_owned();
    assert_eq!(
        no.action,
        Action::Reject {
            status: 403,
            reason
        }
    );
    assert!(matches!(&fork.action, Action::Route { aliases, .. } if aliases.len() == 2));
    assert_eq!(read("").expect("right"), Policy::default());
}

#[test]
fn what_is_wrong_with_the_service_is_said() {
    let cases = [
        (
            "[policy]\nlisten = [\"ftp:1.2.3.4:5\"]",
            "unknown transport `ftp`",
        ),
        (
            "[policy]\nlisten = [{ at = \"https:1.2.3.4:5\", redirect = \"https://x\" }]",
            "`redirect` sends",
        ),
        (
            "[policy]\nlisten = [{ at = \"http:1.2.3.4:5\", redirect = \"https://x/y\" }]",
            "`redirect` sends",
        ),
        (
            "[policy]\nlisten = [\"https:1.2.3.4:5\"]",
            "`https` needs a certificate",
        ),
        ("[policy]\nuser = \"vcs\"", "`user` needs a password"),
        (
            "[policy]\npassword_file = \"/x\"",
            "`user` belongs to the password",
        ),
        (
            "[policy]\nuser = \"v\"\npassword_file = \"/x\"\npassword_hash = \"y\"",
            "not both",
        ),
        (
            "[policy]\npaths = [\"policy\"]",
            "a path begins with one `/`",
        ),
        (
            "[policy]\nattempts = [\"invite\"]",
            "`attempts` cannot have `invite`",
        ),
        (
            "[policy]\nreason_prefix = \"\u{e4}\"",
            "`reason_prefix` takes up to",
        ),
    ];
    all_are_said(&cases);
}

#[test]
fn what_is_wrong_with_a_rule_is_said() {
    let rule = "[[policy.rule]]\nname = \"x\"\nfor = \"search\"\n";
    let cases = [
        ("[[policy.rule]]\nname = \"x\"", "needs `for`"),
        (
            &format!("{rule}[[policy.rule]]\nname = \"y\"\nfor = \"user\"\naction = \"allow\""),
            "needs `action`",
        ),
        (
            &format!("{rule}action = \"allow\"\nalias = '('"),
            "`alias` cannot be used: unclosed group",
        ),
        (
            &format!("{rule}action = \"reject\"\nreason = \"Service Unavailable\""),
            "what a VCS says",
        ),
        (
            &format!("{rule}action = \"reject\"\nreason = \"\""),
            "`reason` cannot be used",
        ),
        (
            &format!("{rule}action = \"route\""),
            "`to` cannot be used: a route leads to",
        ),
        (
            &format!("{rule}action = \"rewrite\"\nalias = 'a'\nto = ['\\1']"),
            "asks for a group",
        ),
        (
            &format!("{rule}action = \"allow\"\naddresses = [\"x\"]"),
            "`x` is no range",
        ),
        (
            &format!("{rule}action = \"allow\"\n{rule}action = \"allow\""),
            "two rules are called `x`",
        ),
    ];
    all_are_said(&cases);
}

fn all_are_said(cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        let mistakes = read(text).expect_err(text);
        assert!(
            mistakes.iter().any(|one| one.contains(wanted)),
            "{text}: {mistakes:?}"
        );
    }
}

#[test]
fn each_peer_has_an_alias_of_its_own() {
    let listen = "[policy]\nlisten = [\"http:127.0.0.1:8080\"]\n";
    let peer = "[[peer]]\nname = \"b\"\nat = \"udp:127.0.0.1:5181\"\nsessions_max = 1\n";
    let without = read(&format!("{peer}{listen}")).expect_err("no alias");
    assert!(without[0].contains("write `alias ="), "{without:?}");
    let same = format!("{peer}alias = \"6001{{number}}@B.example.com\"\n{listen}");
    let same = read(&same).expect_err("the same");
    assert!(same[0].contains("both have the alias"), "{same:?}");
    assert!(
        read(&format!(
            "{peer}alias = \"6002{{number}}@b.example.com\"\n{listen}"
        ))
        .is_ok()
    );
    let begins = format!("{peer}alias = \"60017{{number}}@b.example.com\"\n");
    for listen in [listen, ""] {
        let begins = read(&format!("{begins}{listen}")).expect_err("one begins with the other");
        assert!(begins[0].contains("can be the same"), "{begins:?}");
    }
    let bad = read(&format!("{peer}alias = \"6002\"")).expect_err("no number");
    assert!(bad[0].contains("it has {number} once"), "{bad:?}");
}
