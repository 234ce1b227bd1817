//! The agents against each other, through a relay that stands for Baton.

mod world;

use super::{Agent, Behaviour, Ending, Offer, Outcome, Plan, Side, Verdict};
use std::time::Duration;
use world::{Mischief, World};

const MS: Duration = Duration::from_millis(1);

fn plans() -> Vec<Plan> {
    let plain = Plan::plain(MS * 200);
    vec![
        plain,
        plain.offer(Offer::Delayed),
        plain.ending(Ending::PeerHangsUp),
        plain.ending(Ending::EitherHangsUp),
        plain.ending(Ending::Cancel { after: MS * 50 }),
        plain.ending(Ending::Cancel {
            after: Duration::ZERO,
        }),
        plain.ending(Ending::CancelCrossing2xx),
    ]
}

/// What the peer does with call `n` of [`plans`].
fn behaviour(number: u64) -> Behaviour {
    let answer = Behaviour::answer(MS * 100);
    match number % 7 {
        1 => Behaviour {
            early_media: true,
            ..answer
        },
        2 => answer.hanging_up(MS * 150),
        3 => answer.hanging_up(MS * 200),
        4 => Behaviour::ring_on(),
        _ => answer,
    }
}

fn one(plan: Plan, behaviour: Behaviour) -> (World, Outcome) {
    let mut world = World::new(1, Box::new(move |_| behaviour));
    world.run(&[plan]);
    let outcome = world.outcomes.pop().unwrap();
    (world, outcome)
}

#[test]
fn every_plan_ends_as_planned() {
    let mut world = World::new(1, Box::new(|asked| behaviour(asked.number)));
    world.run(&plans());
    assert_eq!(world.complaints(), [""; 0]);
    assert_eq!(world.outcomes.len(), plans().len());
    for outcome in &world.outcomes {
        assert!(outcome.is_as_planned(), "{outcome:?}");
    }
    let (caller, peer) = (world.caller.counts(), world.peer.counts());
    assert_eq!((caller.calls, caller.answered, caller.refused), (7, 5, 2));
    assert_eq!(
        (peer.calls, peer.answered, peer.refused, peer.acks_missing),
        (7, 5, 2, 0)
    );
    assert_eq!((caller.repeated, peer.repeated), (0, 0));
}

#[test]
fn loss_doubling_and_reordering_are_survived() {
    for seed in 0..64 {
        let mut world = World::new(seed, Box::new(|asked| behaviour(asked.number)));
        world.loss_permille = 150;
        world.jitter = MS * 30;
        world.run(&plans().repeat(3));
        assert_eq!(world.complaints(), [""; 0], "seed {seed}");
        for outcome in &world.outcomes {
            assert!(outcome.is_as_planned(), "seed {seed}: {outcome:?}");
        }
        assert!(world.caller.counts().repeated > 0 && world.peer.counts().absorbed > 0);
    }
}

#[test]
fn latencies_are_those_of_the_peer() {
    let behaviour = Behaviour {
        ringing: Some(MS * 20),
        ..Behaviour::answer(MS * 70)
    };
    let (_, outcome) = one(Plan::plain(MS * 10), behaviour);
    let within = |time: Option<Duration>, least: u32| {
        (MS * (least + 2)..MS * (least + 4)).contains(&time.unwrap())
    };
    assert!(
        within(outcome.ringing_after, 20) && within(outcome.answered_after, 70),
        "{outcome:?}"
    );
    assert_eq!(outcome.hung_up_by, Some(Side::Local));
}

#[test]
fn a_refusal_is_reported_and_acknowledged() {
    let (mut world, outcome) = one(Plan::plain(MS), Behaviour::refuse(486));
    assert_eq!(
        (outcome.status, outcome.answered, outcome.error.as_deref()),
        (Some(486), false, None)
    );
    assert!(!outcome.is_as_planned());
    assert_eq!(
        (world.complaints().len(), world.peer.counts().acks_missing),
        (0, 0)
    );
}

#[test]
fn silence_is_reported_after_timer_b() {
    let (world, outcome) = one(Plan::plain(MS), Behaviour::silence());
    assert_eq!(outcome.status, None);
    assert!(outcome.error.unwrap().contains("no final response"));
    // RFC 3261 §17.1.1.2: seven INVITEs in 64*T1.
    assert_eq!(world.caller.counts().repeated, 6);
}

#[test]
fn without_a_provisional_response_no_cancel_is_sent() {
    let plan = Plan::plain(MS).ending(Ending::Cancel { after: MS });
    let (mut world, outcome) = one(plan, Behaviour::answer(MS * 300).without_provisional());
    assert!(outcome.is_as_planned() && outcome.answered);
    assert_eq!(
        (world.complaints().len(), world.caller.counts().cancelled),
        (0, 0)
    );
}

#[test]
fn a_second_fork_passed_on_is_noticed() {
    let behaviour = Behaviour {
        verdict: Verdict::AnswerTwice,
        ..Behaviour::answer(MS)
    };
    let (mut world, outcome) = one(Plan::plain(MS * 100), behaviour);
    let complaints = world.complaints();
    assert!(
        complaints
            .iter()
            .any(|what| what.contains("another To tag")),
        "{complaints:?}"
    );
    assert!(outcome.error.is_some());
    assert_eq!(world.peer.counts().acks_missing, 1);
}

#[test]
fn what_a_bad_b2bua_does_is_noticed() {
    let cases: [(&str, Mischief); 12] = [
        ("Max-Forwards is", |text| {
            text.replace("Max-Forwards: 69", "Max-Forwards: 70")
        }),
        ("body of the INVITE", |text| {
            text.replace("o=caller", "o=Caller")
        }),
        ("body of the INVITE", |text| {
            text.replace("application/sdp", "application/SDP")
        }),
        ("not what the peer sends", |text| {
            text.replace("o=peer", "o=Peer")
        }),
        ("leaks", |text| {
            text.replace("Call-ID: relayb", "X-Was: caller-leg-1\r\nCall-ID: relayb")
        }),
        ("leaks", |text| {
            text.replace("CSeq: 1 INVITE", "X-Was: peer-leg-1\r\nCSeq: 1 INVITE")
        }),
        ("2 Via values", |text| {
            text.replace(
                "Max-Forwards",
                "Via: SIP/2.0/UDP a;branch=z9hG4bKa\r\nMax-Forwards",
            )
        }),
        ("Record-Route", |text| {
            text.replace(
                "CSeq: 1 INVITE",
                "Record-Route: <sip:a;lr>\r\nCSeq: 1 INVITE",
            )
        }),
        ("From came back", |text| {
            text.replace("SIP/2.0 200 OK\r\n", "SIP/2.0 200 OK\r\nX: y\r\n")
                .replace("\"Caller 0\"", "Caller")
        }),
        ("unreadable", |text| {
            text.replace("CSeq: 1 ACK", "CSeq: one ACK")
        }),
        ("no call of ours", |text| {
            if text.starts_with("BYE") {
                text.replace("Call-ID: relayb", "Call-ID: other")
            } else {
                text
            }
        }),
        ("without a To tag", |text| {
            text.replace(";tag=rela-leg-", ";gat=rela-leg-")
                .replace(";tag=peer-leg-", ";gat=peer-leg-")
        }),
    ];
    for (wanted, mischief) in cases {
        let mut world = World::new(1, Box::new(|_| Behaviour::answer(MS)));
        world.mischief = Some(mischief);
        world.run(&[Plan::plain(MS)]);
        let complaints = world.complaints();
        assert!(
            complaints.iter().any(|what| what.contains(wanted)),
            "{wanted}: {complaints:#?}"
        );
    }
}

#[test]
fn rsip_reads_every_message_alike() {
    use rsip::headers::{ToTypedHeader, UntypedHeader};
    use rsip::prelude::HeadersExt;
    let mut world = World::new(3, Box::new(|asked| behaviour(asked.number)));
    world.run(&plans());
    assert!(world.seen.len() > 50);
    for bytes in &world.seen {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let line = |name: &str| {
            let mut lines = text
                .lines()
                .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            let (Some(value), None) = (lines.next(), lines.next()) else {
                panic!("not one {name}: {text}")
            };
            value.to_owned()
        };
        let message = rsip::SipMessage::try_from(text.as_str())
            .unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(message.call_id_header().unwrap().value(), line("Call-ID"));
        assert_eq!(message.from_header().unwrap().value(), line("From"));
        assert_eq!(message.to_header().unwrap().value(), line("To"));
        let cseq = message.cseq_header().unwrap().typed().unwrap();
        assert_eq!(format!("{} {}", cseq.seq, cseq.method), line("CSeq"));
        assert!(
            line("From").contains(
                &message
                    .from_header()
                    .unwrap()
                    .tag()
                    .unwrap()
                    .unwrap()
                    .to_string()
            )
        );
        assert_eq!(message.body().len().to_string(), line("Content-Length"));
        match &message {
            rsip::SipMessage::Request(request) => assert_eq!(request.method, cseq.method),
            rsip::SipMessage::Response(response) => {
                assert!(u16::from(response.status_code.clone()) >= 100);
            }
        }
    }
}

#[test]
fn one_seed_is_one_history() {
    let history = |seed| {
        let mut world = World::new(seed, Box::new(|asked| behaviour(asked.number)));
        world.loss_permille = 100;
        world.run(&plans());
        world.seen
    };
    assert_eq!(history(5), history(5));
    assert_ne!(history(5), history(6));
}

#[test]
fn a_watched_call_shows_its_messages() {
    let mut world = World::new(1, Box::new(|_| Behaviour::answer(MS)));
    world.caller.watch(0);
    world.run(&[Plan::plain(MS), Plan::plain(MS)]);
    let first_words = |sent: bool| {
        let steps = world
            .caller
            .steps()
            .iter()
            .filter(move |step| step.sent == sent);
        steps
            .map(|step| {
                String::from_utf8_lossy(&step.bytes)
                    .split(" sip")
                    .next()
                    .unwrap()
                    .lines()
                    .next()
                    .unwrap()
                    .to_owned()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(first_words(true), ["INVITE", "ACK", "BYE"]);
    assert_eq!(
        first_words(false),
        [
            "SIP/2.0 100 Trying",
            "SIP/2.0 180 Ringing",
            "SIP/2.0 200 OK",
            "SIP/2.0 200 OK"
        ]
    );
}
