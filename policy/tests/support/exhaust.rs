//! One body through the whole service: whatever it is, the answer is short, whole, and says only what a
//! VCS knows. Shared by a fuzz target and the replay of its corpus.

use balancer::{
    AliasSettings, Balancer, BridgeAlias, PeerSettings, Role, Settings, Target, Transport,
};
use policy::{Action, Kind, RuleSettings, Service};
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

static WORLD: LazyLock<(Balancer, Service, Instant)> = LazyLock::new(world);

/// Reads a body, decides, and looks at the answer.
pub(crate) fn exhaust(body: &[u8]) {
    let (balancer, service, start) = &*WORLD;
    // JSON is read too; what is decided of it is decided as of a form.
    let json = policy::Request::read_json(body).map(|(request, _)| request);
    let Ok(request) = json.or_else(|_| service.read(body)) else {
        return;
    };
    // Each request is later than the leases of the one before, so that nothing grows.
    balancer.handle_timeout(*start + Duration::from_secs(46));
    let mut out = Vec::new();
    let decided = service.decide(*start, balancer, &request, &mut out);
    assert!(out.len() <= policy::cpl::ANSWER_MAX, "{} octets", out.len());
    let text = std::str::from_utf8(&out).expect("an answer is ASCII");
    assert!(
        text.bytes().all(|octet| (b' '..=b'~').contains(&octet)),
        "{text}"
    );
    let names = elements(text);
    assert_eq!(names[..2], ["cpl", "taa:routed"], "{text}");
    let known = ["failure", "proxy", "reject", "taa:location"];
    assert!(names[2..].iter().all(|name| known.contains(name)), "{text}");
    let clears = text.matches("clear=\"yes\"").count();
    assert_eq!(
        clears > 0,
        text.contains("url="),
        "the first location clears: {text}"
    );
    assert_eq!(
        decided.status.is_some(),
        text.contains("<reject "),
        "{text}"
    );
}

/// The elements in their order, each of which must be closed where it was opened.
fn elements(text: &str) -> Vec<&str> {
    let (mut names, mut open) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(tag) = rest.strip_prefix('<') {
        let (inside, after) = tag.split_once('>').expect("a tag ends");
        rest = after;
        if let Some(name) = inside.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{text}");
            continue;
        }
        let name = inside
            .trim_end_matches('/')
            .split(' ')
            .next()
            .expect("a name");
        assert_eq!(inside.matches('"').count() % 2, 0, "{text}");
        names.push(name);
        if !inside.ends_with('/') {
            open.push(name);
        }
    }
    assert!(rest.is_empty() && open.is_empty(), "{text}");
    names
}

fn world() -> (Balancer, Service, Instant) {
    #[expect(clippy::disallowed_methods, reason = "a test tells the time")]
    let now = Instant::now();
    (
        Balancer::new(&bridges(), 7, now).expect("right"),
        Service::new(rules()).expect("right"),
        now,
    )
}

fn bridges() -> Settings {
    let peer = |number: u16| {
        let target = Target {
            transport: Transport::Udp,
            remote: SocketAddr::from(([127, 0, 0, 1], number)),
        };
        let alias = format!("60{number}{{number}}@bridges.example.com");
        PeerSettings {
            alias: Some(BridgeAlias::new(&alias).expect("right")),
            ..PeerSettings::new(format!("b{number}"), target, 100)
        }
    };
    let alias = |pattern: &str, conference: &str| AliasSettings {
        name: pattern.to_owned(),
        pattern: pattern.to_owned(),
        priority: 1,
        conference: Some(conference.to_owned()),
        role: Role::Participant,
        fallback: false,
        may_create: true,
        participants_max: Some(3),
        pools: Vec::new(),
        tags: Vec::new(),
        zones: Vec::new(),
    };
    Settings {
        peers: vec![peer(1), peer(2)],
        aliases: vec![
            alias(r"meet\.(.+)@example\.com", r"\1"),
            alias(r"(?!9)(\d+)", r"n\1"),
        ],
        ..Settings::default()
    }
}

fn rules() -> policy::Settings {
    let rule = |name: &str, kind, alias: &str, action| RuleSettings {
        name: name.to_owned(),
        kind,
        authenticated: None,
        source: None,
        alias: Some(alias.to_owned()),
        zone: None,
        addresses: Vec::new(),
        protocol: None,
        methods: Vec::new(),
        action,
    };
    let reason = "Not <here> & \"now\"".to_owned();
    let route = Action::Route {
        aliases: vec!["a@x".to_owned(), "b@x".to_owned()],
        timeout: Some(20),
        on_failure: Some("c@x".to_owned()),
    };
    let rewrite = Action::Rewrite {
        alias: r"meet.\1@example.com".to_owned(),
    };
    let rules = vec![
        rule(
            "reject",
            Kind::Admin,
            "9.*",
            Action::Reject {
                status: 403,
                reason,
            },
        ),
        rule("route", Kind::User, "f.*", route),
        rule("rewrite", Kind::Search, "8(.*)", rewrite),
    ];
    policy::Settings {
        rules,
        ..policy::Settings::default()
    }
}
