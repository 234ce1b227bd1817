//! Which requests a rule fits.

use super::*;
use crate::form::Plus;

fn rule(kind: Kind) -> RuleSettings {
    RuleSettings {
        name: "rule".to_owned(),
        kind,
        authenticated: None,
        source: None,
        alias: None,
        zone: None,
        addresses: Vec::new(),
        protocol: None,
        methods: Vec::new(),
        action: Action::Allow { timeout: None },
    }
}

const BODY: &str = "POLICY_TYPE=ADMIN&DESTINATION_ALIAS=901632960000&METHOD=ARQ&PROTOCOL=H323\
    &AUTHENTICATED=FALSE&UNAUTHENTICATED_SOURCE_ALIAS=Bob%40example.com&SOURCE_IP=%3A%3Affff:192.0.2.10\
    &ZONE_NAME=DefaultZone";

fn fits(settings: RuleSettings) -> bool {
    let request = Request::read(BODY.as_bytes(), Plus::Space).expect("right");
    let rule = Rule::new(&settings).expect("right");
    rule.fits(&request, request.alias()) == Ok(true)
}

#[test]
fn each_condition_decides() {
    let admin = || rule(Kind::Admin);
    let text = |text: &str| Some(text.to_owned());
    let net = |text: &str| vec![text.parse().expect("a range")];
    assert!(fits(admin()));
    assert!(!fits(rule(Kind::Search)));
    for (authenticated, wanted) in [(Some(false), true), (Some(true), false)] {
        assert_eq!(
            fits(RuleSettings {
                authenticated,
                ..admin()
            }),
            wanted
        );
    }
    for (pattern, wanted) in [
        ("9.*", true),
        ("9", false),
        ("(?!9).*", false),
        ("(?!8).*", true),
    ] {
        let alias = text(pattern);
        assert_eq!(fits(RuleSettings { alias, ..admin() }), wanted, "{pattern}");
    }
    for (pattern, wanted) in [(r"bob@.*", true), ("bob", false)] {
        let source = text(pattern);
        assert_eq!(
            fits(RuleSettings { source, ..admin() }),
            wanted,
            "{pattern}"
        );
    }
    for (pattern, wanted) in [("default.*", true), ("other", false)] {
        let zone = text(pattern);
        assert_eq!(fits(RuleSettings { zone, ..admin() }), wanted, "{pattern}");
    }
    for (range, wanted) in [
        ("192.0.2.0/24", true),
        ("192.0.2.11/32", false),
        ("::/0", false),
    ] {
        let addresses = net(range);
        assert_eq!(
            fits(RuleSettings {
                addresses,
                ..admin()
            }),
            wanted,
            "{range}"
        );
    }
    for (protocol, wanted) in [(Protocol::H323, true), (Protocol::Sip, false)] {
        let protocol = Some(protocol);
        assert_eq!(
            fits(RuleSettings {
                protocol,
                ..admin()
            }),
            wanted
        );
    }
    for (method, wanted) in [(Method::Arq, true), (Method::Invite, false)] {
        let methods = vec![method];
        assert_eq!(fits(RuleSettings { methods, ..admin() }), wanted);
    }
}

#[test]
fn an_alias_is_rewritten_from_its_captures() {
    let action = Action::Rewrite {
        alias: r"meet.\1@example.com".to_owned(),
    };
    let alias = Some(r"8(\d+)(@.*)?".to_owned());
    let settings = RuleSettings {
        alias,
        action,
        ..rule(Kind::Search)
    };
    let rule = Rule::new(&settings).expect("right");
    assert_eq!(
        rule.rewritten("8123@x").as_deref(),
        Some("meet.123@example.com")
    );
    assert_eq!(rule.rewritten("9123@x"), None);
}

#[test]
fn what_a_vcs_would_not_take_is_refused() {
    let route = |aliases: &[&str]| Action::Route {
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        timeout: Some(20),
        on_failure: None,
    };
    let reject = |status, reason: &str| Action::Reject {
        status,
        reason: reason.to_owned(),
    };
    let cases = [
        (Action::Allow { timeout: Some(0) }, RuleError::Timeout),
        (reject(200, "no"), RuleError::BadStatus),
        (reject(403, "a\nb"), RuleError::BadReason),
        (route(&[]), RuleError::Routes),
        (route(&["x"; ROUTES_MAX + 1]), RuleError::Routes),
        (route(&["a b"]), RuleError::BadAlias("a b".to_owned())),
        (
            Action::Rewrite {
                alias: "x".to_owned(),
            },
            RuleError::RewriteOfNoSearch,
        ),
    ];
    for (action, wanted) in cases {
        let settings = RuleSettings {
            action,
            ..rule(Kind::User)
        };
        assert_eq!(Rule::new(&settings).map(|_| ()), Err(wanted));
    }
    let source = Some("(".to_owned());
    let broken = Rule::new(&RuleSettings {
        source,
        ..rule(Kind::User)
    });
    assert!(matches!(broken, Err(RuleError::Source(_))));
}
