//! The dial plan, pools and health as they are written, right and wrong.

use crate::config::Config;
use balancer::{Operator, Role, Strategy};
use std::time::Duration;

const LEAST: &str = "[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\n\
                     [[peer]]\nname = \"a\"\nat = \"udp:127.0.0.1:5180\"\nsessions_max = 10\n";

/// The configuration, or its mistakes with lines counted from behind [`LEAST`].
fn read(more: &str) -> Result<Config, Vec<String>> {
    Config::parse(&format!("{LEAST}{more}"), "f").map_err(|mistakes| {
        let texts = mistakes
            .iter()
            .map(|mistake| format!("{}: {}", mistake.line() - 6, mistake.message()));
        texts.collect()
    })
}

#[test]
fn a_dial_plan_with_pools() {
    let config = read(
        r#"
        pool = "large"
        new_limit = 5
        state = "drain"
        tags = ["4k"]
        [[pool]]
        name = "large"
        strategy = "least-busy"
        video_sessions = 2
        next_on = [503]
        tries_max = 2
        [[zone]]
        name = "vcs"
        from = ["192.0.2.1"]
        [[alias]]
        name = "host"
        pattern = 'host\.(.+)@example\.com'
        conference = '\1'
        role = "chair"
        participants_max = 20
        pools = ["large", "default"]
        zones = ["vcs"]
        tags = ["4k"]
        [[alias]]
        name = "plain"
        pattern = "7.*"
        may_create = false
        [health]
        probe = false
        back_off_ms_min = 2_000
        "#,
    )
    .unwrap();
    let [host, plain] = &config.aliases[..] else {
        panic!("two aliases: {:?}", config.aliases)
    };
    assert_eq!((host.role, host.participants_max), (Role::Chair, Some(20)));
    assert_eq!(host.conference.as_deref(), Some(r"\1"));
    assert_eq!(
        (&host.pools[..], host.priority),
        (&["large".to_owned(), "default".into()][..], 100)
    );
    assert!(plain.conference.is_none() && !plain.may_create && host.may_create);
    assert_eq!(config.pools[0].strategy, Strategy::LeastBusy);
    let pool = &config.pools[0];
    assert_eq!((pool.audio_sessions, pool.video_sessions), (1, 2));
    let failover = config.pools[0].failover;
    assert!(failover.next_on.contains(503) && !failover.next_on.contains(500));
    assert_eq!(failover.tries_max, 2);
    let balancing = &config.peers[0].balancing;
    assert_eq!(
        (balancing.new_limit, balancing.existing_limit),
        (Some(5), None)
    );
    assert_eq!(balancing.operator, Operator::Drain);
    assert!(!config.health.probe);
    assert_eq!(config.health.back_off[0], Duration::from_secs(2));
}

#[test]
fn mistakes_say_where_and_what_instead() {
    let cases = [
        (
            "pool = \"larg\"\n[[pool]]\nname = \"large\"",
            "1: there is no pool `larg`; did you mean `large`?",
        ),
        (
            "[[pool]]\nname = \"x\"",
            "2: no peer is in pool `x`; write `pool = \"x\"` at a `[[peer]]`",
        ),
        (
            "pool = \"x\"",
            "1: there is no pool `x`; add `[[pool]]` with `name = \"x\"`",
        ),
        (
            "new_limit = 11",
            "1: `new_limit` (11) is more than `sessions_max` (10), which is never exceeded",
        ),
        (
            "state = \"drained\"",
            "1: `state` cannot be `drained`; did you mean `drain`?",
        ),
        (
            "[pool]\nname = \"x\"",
            "1: there may be several pools; write `[[pool]]`",
        ),
        (
            "[[alias]]\nname = \"x\"",
            "1: `[[alias]]` needs `pattern`, such as `pattern = \"meet\\.(.+)@example\\.com\"`",
        ),
        (
            "[[alias]]\nname = \"x\"\npattern = '('",
            "3: `pattern` cannot be used: unclosed group",
        ),
        (
            "[[alias]]\nname = \"x\"\npattern = 'a(?!b'",
            "3: `pattern` cannot be used: Parsing error at position 5: Opening parenthesis without closing parenthesis",
        ),
        (
            "[[alias]]\nname = \"x\"\npattern = '(a)'\nconference = '\\2'",
            "4: `conference` cannot be used: `\\2` asks for a group that the pattern does not have; it has 1",
        ),
        (
            "[[alias]]\nname = \"x\"\npattern = 'a'\nzones = [\"vcs\"]",
            "4: there is no zone `vcs`; add `[[zone]]` with `name = \"vcs\"`",
        ),
        (
            "[[alias]]\nname = \"x\"\npattern = 'a'\nmay_create = \"no\"",
            "4: `may_create` is a text; write `may_create = true` or `may_create = false`",
        ),
        (
            "[[alias]]\nname = \"x\"\npattern = 'a'\n[[alias]]\nname = \"x\"\npattern = 'b'",
            "5: two aliases are called `x`; give each its own name",
        ),
        (
            "[[pool]]\nname = \"default\"\nnext_on = [200]",
            "3: `next_on` holds something else; it takes a list of numbers from 300 to 699: `next_on = [503]`",
        ),
        (
            "[health]\nback_off_ms_max = 500",
            "2: `back_off_ms_max` (500) is less than `back_off_ms_min` (1000)",
        ),
        (
            "[health]\nprobes = true",
            "2: unknown key `probes`; did you mean `probe`?",
        ),
    ];
    for (text, expected) in cases {
        let mistakes = read(text).expect_err(text);
        assert_eq!(mistakes, [expected], "{text}");
    }
}

#[test]
fn no_call_tries_more_peers_than_attempts_can_be_told_apart() {
    let text = "[[pool]]\nname = \"default\"\ntries_max = 9";
    let expected =
        "3: `tries_max` is 9; it takes a whole number from 1 to 8, such as `tries_max = 3`";
    assert_eq!(read(text).expect_err(text), [expected]);
}
