//! An emulated VCS before a real node: it asks the policy service, does what the CPL says, calls over the trunk, and
//! the call must arrive at the peer that was promised.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

mod interop;
mod policy_world;

use interop::certificates::Certificates;
use loadtest::arrivals::{Arrivals, Phase, Shape};
use loadtest::bridges::{Bridge, Bridges};
use loadtest::drive::{Socket, runtime};
use loadtest::vcs::form::Kind;
use loadtest::vcs::{Report, Settings, Url, Verification, run};
use policy_world::{Node, PATIENCE};
use signaling::Transport;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

const PREFIXES: [&str; 4] = ["6001", "6002", "6003", "6004"];
/// `vcs:s3cret-Pa55`.
const AUTHORIZATION: &str = "Basic dmNzOnMzY3JldC1QYTU1";

/// A node with four bridges, and where it is asked and called.
struct World {
    node: Node,
    trunk: SocketAddr,
    bridges: Bridges,
}

impl World {
    fn start(name: &str, more: impl FnOnce(&interop::stage::Stage) -> String) -> Self {
        let mut bridges = Bridges::default();
        let mut peers = String::new();
        for prefix in PREFIXES {
            let bridge = Bridge {
                answer: Duration::from_millis(5),
                ..Bridge::new(loopback(), Some(prefix.to_owned()))
            };
            let at = bridges.start(Transport::Udp, &bridge);
            write!(
                peers,
                "[[peer]]\nname = \"b{prefix}\"\nat = \"udp:{}\"\nsessions_max = 5000\n\
                 alias = \"{prefix}{{number}}@bridges.example.com\"\n",
                at.unwrap()
            )
            .unwrap();
        }
        let mut node = Node::start(name, |fixture, stage| {
            // What is below the rules speaks of the fixture's own bridges.
            let (head, _) = fixture.split_once("[[policy.rule]]").unwrap();
            let head = head.replace(
                "listen = [\"http:127.0.0.1:0\"]",
                "listen = [\"http:127.0.0.1:0\", \"https:127.0.0.1:0\"]",
            );
            let certificates = Certificates::new(stage).of_a_node();
            format!(
                "{head}{}{certificates}[overload]\nwait_target_ms = 400\nwait_interval_ms = 10_000\n[[alias]]\nname = \"meet\"\npattern = 'meet\\.(\\d+)@example\\.com'\n\
                 conference = 'm\\1'\n{peers}",
                more(stage)
            )
        });
        let line = node.process.wait_for("listening on udp:", PATIENCE);
        let (_, trunk) = line.split_once("listening on udp:").unwrap();
        Self {
            trunk: trunk.trim().parse().unwrap(),
            node,
            bridges,
        }
    }

    fn settings(&self, searches: u64) -> Settings {
        Settings {
            policy: vec![format!("http://{}", self.node.door.0).parse().unwrap()],
            paths: ["policy".into(), "status".into()],
            authorization: Some(AUTHORIZATION.into()),
            verification: None,
            keeps_connections: true,
            default_cpl: "<reject status='504' reason='Policy Service Unavailable'/>".into(),
            kinds: vec![Kind::Search],
            // A poll in 12 s and an attempt of 6 s: a machine that stands still is not a dead server.
            time_scale: 5.0,
            arrivals: Arrivals::constant(searches, if is_long() { 1_000.0 } else { 250.0 }),
            concurrent_max: 200,
            alias: "meet.{n}@example.com".into(),
            conferences: 50,
            hold: Duration::from_millis(50),
            seed: 1,
            stop: Arc::default(),
            trunks: vec![self.trunk],
        }
    }

    /// Plays, and ends the node.
    fn play(self, settings: Settings) -> Report {
        let report = runtime().unwrap().block_on(async {
            let socket = Socket::towards(Transport::Udp, self.trunk).unwrap();
            run(
                settings,
                (Transport::Udp, socket),
                &self.bridges,
                &mut |_, _| {},
            )
            .await
        });
        let mut report = report.unwrap();
        report.add_bridges(self.bridges.stop().unwrap());
        self.node.ends();
        report
    }
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// What went wrong, without the histograms.
fn words(report: &Report) -> String {
    let tally = &report.tally;
    format!(
        "rejected {:?}, failed {:?}, unusable {:?}, wrong {:?}, loops {}, elsewhere {:?}, complaints {:?}, servers {:?}",
        tally.rejected,
        tally.failed,
        tally.unusable,
        tally.wrong,
        tally.loops,
        report.elsewhere,
        report.complaints,
        report.servers
    )
}

/// 10,000 where there is time for it.
fn searches() -> u64 {
    if is_long() { 10_000 } else { 1_000 }
}

fn is_long() -> bool {
    std::env::var_os("BATON_LONG").is_some() || !cfg!(debug_assertions)
}

#[test]
fn searches_end_on_the_promised_peer() {
    let world = World::start("vcs-searches", |_| String::new());
    let settings = Settings {
        kinds: vec![Kind::Admin, Kind::Search],
        ..world.settings(searches())
    };
    let report = world.play(settings);
    assert!(report.is_good(false), "{}", words(&report));
    assert_eq!((report.promised, report.unpromised), (searches(), 0));
    // Each alias of a bridge was searched for again, as a VCS does.
    let asked = |kind| report.tally.requests.get(kind).copied();
    assert_eq!(asked("ADMIN"), Some(searches() * 2));
    assert_eq!(asked("SEARCH"), Some(searches() * 2));
    // Fifty conferences on four bridges that are alike.
    for (prefix, calls) in &report.bridges {
        assert!(*calls >= searches() / 8, "{prefix}: {:?}", report.bridges);
    }
}

#[test]
fn meetings_that_start_in_one_instant_spread() {
    let world = World::start("vcs-meetings", |_| String::new());
    let burst = Phase {
        shape: Shape::Burst {
            calls: 100,
            every: PATIENCE,
        },
        lasts: Duration::from_secs(1),
    };
    let settings = Settings {
        arrivals: Arrivals::new([burst], 1),
        conferences: 100,
        // Nobody hangs up before the last one is decided.
        hold: Duration::from_secs(5),
        ..world.settings(0)
    };
    let report = world.play(settings);
    assert!(report.is_good(false), "{}", words(&report));
    let calls: Vec<u64> = report.bridges.iter().map(|(_, calls)| *calls).collect();
    assert_eq!(calls, [25; 4]);
}

#[test]
fn over_https_and_each_request_on_a_connection_of_its_own() {
    let world = World::start("vcs-https", |_| String::new());
    let log = world.node.process.last_words();
    let (_, address) = log.split_once("policy service on https://").unwrap();
    let address = address.lines().next().unwrap();
    let url: Url = format!("https://{address}").parse().unwrap();
    let settings = Settings {
        policy: vec![url],
        verification: Some(Verification::On(world.node.stage.file("authority.pem"))),
        keeps_connections: false,
        ..world.settings(100)
    };
    let report = world.play(settings);
    assert!(report.is_good(false), "{}", words(&report));
    assert_eq!(report.promised, 100);
    let server = report.servers.first().unwrap();
    assert_eq!(
        server.connections,
        server.figures.polls + server.figures.asked
    );
}

#[test]
fn an_address_that_is_not_active_is_not_asked() {
    let world = World::start("vcs-order", |_| String::new());
    // Nobody listens at the first.
    let nobody = TcpListener::bind(loopback()).unwrap().local_addr().unwrap();
    let own = world.node.door.0;
    let settings = Settings {
        policy: [nobody, own]
            .map(|at| format!("http://{at}").parse().unwrap())
            .into(),
        ..world.settings(50)
    };
    let report = world.play(settings);
    assert!(report.is_good(false), "{}", words(&report));
    let asked: Vec<(bool, u64)> = report
        .servers
        .iter()
        .map(|server| (server.is_active, server.figures.asked))
        .collect();
    assert_eq!(asked, [(false, 0), (true, 100)]);
}

#[test]
fn nobody_answers_and_the_default_cpl_is_executed() {
    let world = World::start("vcs-default", |_| String::new());
    let settings = Settings {
        authorization: None,
        default_cpl: "<taa:location clear='yes' url='meet.7@example.com'><proxy/></taa:location>"
            .into(),
        ..world.settings(10)
    };
    let report = world.play(settings);
    // Without credentials the page shows Failed. All but `meet.7` itself are searched for twice; the trunk knows it.
    assert!(!report.servers.first().unwrap().is_active);
    assert_eq!(
        (report.tally.requests.get("SEARCH"), report.tally.defaults),
        (Some(&19), 19)
    );
    assert_eq!(
        (report.tally.answered, report.unpromised),
        (10, 10),
        "{}",
        words(&report)
    );
    assert!(!report.is_good(false), "nothing was promised");
}

#[test]
fn a_rule_with_a_fallback_is_followed_to_its_end() {
    let world = World::start("vcs-fallback", |_| {
        "[[policy.rule]]\nname = \"alice\"\nfor = \"user\"\nalias = 'alice@example\\.com'\naction = \"route\"\n\
         to = [\"nobody@example.net\", \"noone@example.net\"]\ntimeout_seconds = 20\non_failure = \"meet.3@example.com\"\n"
            .to_owned()
    });
    let settings = Settings {
        alias: "alice@example.com".into(),
        kinds: vec![Kind::User, Kind::Search],
        ..world.settings(20)
    };
    let report = world.play(settings);
    // Nobody knows the two that she has: policy refuses both, and each call ends in the conference.
    assert!(report.is_good(false), "{}", words(&report));
    assert_eq!((report.promised, report.tally.answered), (20, 20));
}
