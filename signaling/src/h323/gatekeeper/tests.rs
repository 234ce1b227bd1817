//! Endpoints at a gatekeeper, datagram by datagram.
#![expect(
    clippy::unwrap_in_result,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

use super::*;
use crate::h323::per::{Bmp, List};
use crate::h323::ras::{
    RegistrationConfirm, RegistrationReject, RegistrationRejectReason, UnregRejectReason,
    UnregistrationReject,
};
use crate::h323::types::EndpointIdentifier;
use std::collections::BTreeSet;

const TTL: Duration = Duration::from_secs(60);

/// A gatekeeper and its clock.
struct World {
    gatekeeper: Gatekeeper,
    now: Instant,
    sequence_number: u32,
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "a test tells the time")]
    fn with(change: impl FnOnce(&mut GatekeeperSettings)) -> Self {
        let mut settings = GatekeeperSettings {
            identifier: "gk-a".to_owned(),
            ras_address: at(1, 1719),
            call_signal_address: at(1, 1720),
            time_to_live: TTL,
            conflict: Conflict::Reject,
            registrations_max: 100,
            answers_max: 64,
            seed: 7,
        };
        change(&mut settings);
        Self {
            gatekeeper: Gatekeeper::new(settings),
            now: Instant::now(),
            sequence_number: 0,
        }
    }

    fn new() -> Self {
        Self::with(|_| {})
    }

    fn number(&mut self) -> Number<1, 0xffff> {
        self.sequence_number += 1;
        Number(self.sequence_number)
    }

    /// Sends bytes; the answer, which went back to where they came from.
    fn send(&mut self, from: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
        self.gatekeeper.handle_datagram(self.now, from, datagram);
        let transmit = self.gatekeeper.poll_output()?;
        assert_eq!(transmit.to, from);
        let octets = transmit.octets.to_vec();
        assert_eq!(self.gatekeeper.poll_output(), None);
        Some(octets)
    }

    fn ask(&mut self, from: SocketAddr, message: Message<'_>) -> Option<Vec<u8>> {
        self.send(from, &octets(message))
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.gatekeeper.handle_timeout(self.now);
    }

    /// Registers an endpoint that calls itself so; its identifier, or why not.
    fn register(&mut self, host: u8, alias: &str) -> Result<String, String> {
        let request = request(self.number());
        let alias = [AliasAddress::H323Id(Bmp::from(alias))];
        let answer = self.ask(
            at(host, 1719),
            Message::RegistrationRequest(RegistrationRequest {
                terminal_alias: Some((&alias).into()),
                call_signal_address: (&[at(host, 1720).into()]).into(),
                ..request
            }),
        );
        verdict(&answer.expect("an answer"))
    }

    fn keep_alive(&mut self, host: u8, identifier: &str) -> Result<String, String> {
        let message = Message::RegistrationRequest(RegistrationRequest {
            keep_alive: Some(true),
            endpoint_identifier: Some(EndpointIdentifier::from(identifier)),
            ..request(self.number())
        });
        verdict(&self.ask(at(host, 1719), message).expect("an answer"))
    }

    /// Whether an LRQ from elsewhere finds somebody.
    fn finds(&mut self, alias: &str) -> Option<SocketAddr> {
        let alias = [AliasAddress::H323Id(Bmp::from(alias))];
        let request = LocationRequest {
            request_seq_num: self.number(),
            destination_info: (&alias).into(),
            // Answers do not go where a request says.
            reply_address: at(200, 1719).into(),
            ..LocationRequest::default()
        };
        let answer = self
            .ask(at(99, 1719), Message::LocationRequest(request))
            .expect("an answer");
        match Message::decode(&answer) {
            Ok(Message::LocationConfirm(confirm)) => confirm.call_signal_address.socket_address(),
            Ok(Message::LocationReject(reject)) => {
                assert_eq!(reject.reject_reason, LocationRejectReason::NotRegistered);
                None
            }
            other => panic!("{other:?}"),
        }
    }
}

fn at(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, host], port))
}

fn octets(message: Message<'_>) -> Vec<u8> {
    let mut buffer = vec![0; 2_000];
    let length = message.encode(&mut buffer).unwrap();
    buffer.truncate(length);
    buffer
}

fn request(number: Number<1, 0xffff>) -> RegistrationRequest<'static> {
    RegistrationRequest {
        request_seq_num: number,
        protocol_identifier: VERSION_7,
        ..RegistrationRequest::default()
    }
}

fn verdict(answer: &[u8]) -> Result<String, String> {
    match Message::decode(answer).unwrap() {
        Message::RegistrationConfirm(confirm) => Ok(confirm.endpoint_identifier.to_string()),
        Message::RegistrationReject(reject) => Err(format!("{:?}", reject.reject_reason)),
        other => panic!("{other:?}"),
    }
}

fn confirm(answer: &[u8]) -> RegistrationConfirm<'_> {
    match Message::decode(answer).unwrap() {
        Message::RegistrationConfirm(confirm) => confirm,
        other => panic!("{other:?}"),
    }
}

fn alternates(count: u8) -> Vec<Alternate> {
    let alternate = |host: u8| Alternate {
        ras_address: at(host, 1719),
        identifier: format!("Alternate {host}"),
    };
    (101..).take(count.into()).map(alternate).collect()
}

#[test]
fn an_endpoint_comes_stays_and_goes() {
    let mut world = World::new();
    let identifier = world.register(9, "Alice").unwrap();
    assert_eq!(world.gatekeeper.registrations(), 1);
    assert_eq!(world.finds("alice"), Some(at(9, 1720)));
    world.wait(70);
    assert_eq!(world.keep_alive(9, &identifier), Ok(identifier.clone()));
    world.wait(70);
    assert_eq!(world.finds("ALICE"), Some(at(9, 1720)));
    let leave = UnregistrationRequest {
        request_seq_num: world.number(),
        endpoint_identifier: Some(EndpointIdentifier::from(&*identifier)),
        ..UnregistrationRequest::default()
    };
    // Not for anybody else.
    let message = Message::UnregistrationRequest(leave);
    let refused = world.ask(at(8, 1719), message).unwrap();
    assert!(matches!(
        Message::decode(&refused),
        Ok(Message::UnregistrationReject(UnregistrationReject {
            reject_reason: UnregRejectReason::NotCurrentlyRegistered,
            ..
        }))
    ));
    let left = world.ask(at(9, 1719), message).unwrap();
    assert!(matches!(
        Message::decode(&left),
        Ok(Message::UnregistrationConfirm(_))
    ));
    assert_eq!(
        (world.finds("alice"), world.gatekeeper.poll_timeout()),
        (None, None)
    );
}

#[test]
fn a_registration_runs_out_after_its_time_and_a_quarter() {
    let mut world = World::new();
    let identifier = world.register(9, "alice").unwrap();
    let begun = world.now;
    let due = begun + Duration::from_secs(75);
    assert_eq!(world.gatekeeper.poll_timeout(), Some(due));
    world.wait(74);
    assert_eq!(world.gatekeeper.registrations(), 1);
    world.wait(1);
    assert_eq!(
        (
            world.gatekeeper.registrations(),
            world.gatekeeper.tally().expired
        ),
        (0, 1)
    );
    let unknown = world.keep_alive(9, &identifier).unwrap_err();
    assert_eq!(unknown, "FullRegistrationRequired");
}

#[test]
fn a_keep_alive_of_somebody_unknown_is_not_enough() {
    let mut world = World::new();
    let identifier = world.register(9, "alice").unwrap();
    for (host, identifier) in [
        (8, identifier.as_str()),
        (9, "0000000000000000"),
        (9, "nonsense"),
    ] {
        let refused = world.keep_alive(host, identifier).unwrap_err();
        assert_eq!(refused, "FullRegistrationRequired");
    }
    assert_eq!(world.gatekeeper.tally().refused, 3);
}

#[test]
fn a_repetition_gets_the_same_bytes() {
    let mut world = World::new();
    world.gatekeeper.set_alternates(alternates(5));
    let aliases = [AliasAddress::DialledDigits("1001".into())];
    let message = octets(Message::RegistrationRequest(RegistrationRequest {
        call_signal_address: (&[at(9, 1720).into()]).into(),
        terminal_alias: Some((&aliases).into()),
        ..request(Number(1))
    }));
    // The first answer to a stranger has no room for alternates; one that is known gets them.
    world.send(at(9, 1719), &message).unwrap();
    world.wait(11);
    let first = world.send(at(9, 1719), &message).unwrap();
    assert!(confirm(&first).alternate_gatekeeper.is_some());
    for _ in 0..5 {
        assert_eq!(world.send(at(9, 1719), &message), Some(first.clone()));
    }
    assert_eq!(world.gatekeeper.tally().repeated, 5);
    // Ten seconds later, or from elsewhere, it is another request.
    world.wait(11);
    let anew = world.send(at(9, 1719), &message).unwrap();
    assert_eq!(
        confirm(&anew).endpoint_identifier,
        confirm(&first).endpoint_identifier
    );
    assert!(verdict(&world.send(at(8, 1719), &message).unwrap()).is_ok());
}

#[test]
fn alternates_come_in_random_order() {
    let mut world = World::new();
    world.gatekeeper.set_alternates(alternates(3));
    let identifier = world.register(9, "alice").unwrap();
    let mut orders = BTreeSet::new();
    for _ in 0..200 {
        let number = world.number();
        let message = Message::RegistrationRequest(RegistrationRequest {
            keep_alive: Some(true),
            endpoint_identifier: Some(EndpointIdentifier::from(&*identifier)),
            ..request(number)
        });
        let answer = world.ask(at(9, 1719), message).unwrap();
        let list = confirm(&answer).alternate_gatekeeper.unwrap();
        assert!(
            list.iter()
                .all(|known| known.need_to_register && known.priority == Number(1))
        );
        let names: Vec<String> = list
            .iter()
            .map(|known| known.gatekeeper_identifier.unwrap().to_string())
            .collect();
        orders.insert(names);
    }
    assert_eq!(orders.len(), 6, "all orders of three");
    // A dead member leaves the list.
    world.gatekeeper.set_alternates(Vec::new());
    let number = world.number();
    let message = Message::RegistrationRequest(RegistrationRequest {
        keep_alive: Some(true),
        endpoint_identifier: Some(EndpointIdentifier::from(&*identifier)),
        ..request(number)
    });
    let answer = world.ask(at(9, 1719), message).unwrap();
    assert_eq!(confirm(&answer).alternate_gatekeeper, None);
}

#[test]
fn an_alias_has_one_endpoint() {
    let mut world = World::new();
    let first = world.register(9, "alice").unwrap();
    let refused = world.register(8, "Alice").unwrap_err();
    assert_eq!(refused, "DuplicateAlias([H323Id(\"Alice\")])");
    // The same endpoint again, as after a restart, keeps its name.
    assert_eq!(world.register(9, "alice"), Ok(first));
    let mut world = World::with(|settings| settings.conflict = Conflict::Overwrite);
    world.register(9, "alice").unwrap();
    world.register(8, "alice").unwrap();
    assert_eq!(
        (world.finds("alice"), world.gatekeeper.registrations()),
        (Some(at(8, 1720)), 1)
    );
}

#[test]
fn aliases_can_be_added() {
    let mut world = World::new();
    let identifier = world.register(9, "alice").unwrap();
    let add = |number, alias: &AliasAddress<'static>, identifier: &str| {
        octets(Message::RegistrationRequest(RegistrationRequest {
            terminal_alias: Some((&[*alias]).into()),
            additive_registration: Some(()),
            endpoint_identifier: Some(EndpointIdentifier::from(identifier)),
            ..request(number)
        }))
    };
    let digits = AliasAddress::DialledDigits("1001".into());
    let number = world.number();
    let added = world
        .send(at(9, 1719), &add(number, &digits, &identifier))
        .unwrap();
    assert_eq!(verdict(&added), Ok(identifier));
    assert_eq!(
        (world.finds("1001"), world.finds("alice")),
        (Some(at(9, 1720)), Some(at(9, 1720)))
    );
    let number = world.number();
    let unknown = world
        .send(at(9, 1719), &add(number, &digits, "ffffffffffffffff"))
        .unwrap();
    assert_eq!(verdict(&unknown).unwrap_err(), "FullRegistrationRequired");
}

#[test]
fn what_cannot_be_registered_is_refused() {
    let mut world = World::with(|settings| settings.registrations_max = 1);
    world.gatekeeper.set_alternates(alternates(1));
    let number = world.number();
    let nowhere = Message::RegistrationRequest(request(number));
    let refused = world.ask(at(9, 1719), nowhere).unwrap();
    assert_eq!(verdict(&refused).unwrap_err(), "InvalidCallSignalAddress");
    let number = world.number();
    let elsewhere = Message::RegistrationRequest(RegistrationRequest {
        gatekeeper_identifier: Some("gk-b".into()),
        ..request(number)
    });
    let refused = world.ask(at(9, 1719), elsewhere).unwrap();
    assert_eq!(verdict(&refused).unwrap_err(), "DiscoveryRequired");
    world.register(9, "alice").unwrap();
    assert_eq!(world.register(8, "bob").unwrap_err(), "ResourceUnavailable");
    // More names than one endpoint may have.
    let names: Vec<String> = (0..=directory::ALIASES_MAX)
        .map(|name| name.to_string())
        .collect();
    let names: Vec<AliasAddress<'_>> = names
        .iter()
        .map(|name| AliasAddress::DialledDigits(name.as_str().into()))
        .collect();
    let (number, address) = (world.number(), [at(9, 1720).into()]);
    let message = Message::RegistrationRequest(RegistrationRequest {
        terminal_alias: Some(List::from(names.as_slice())),
        call_signal_address: (&address).into(),
        ..request(number)
    });
    let refused = world.ask(at(9, 1719), message).unwrap();
    assert_eq!(verdict(&refused).unwrap_err(), "ResourceUnavailable");
}

#[test]
fn a_gatekeeper_in_maintenance_names_others() {
    let mut world = World::new();
    let identifier = world.register(9, "alice").unwrap();
    world.gatekeeper.set_alternates(alternates(1));
    world.gatekeeper.set_closed(true);
    let long = "b".repeat(100);
    let number = world.number();
    let (aliases, address) = (
        [AliasAddress::H323Id(Bmp::from(&*long))],
        [at(8, 1720).into()],
    );
    let message = Message::RegistrationRequest(RegistrationRequest {
        terminal_alias: Some((&aliases).into()),
        call_signal_address: (&address).into(),
        ..request(number)
    });
    let refused = world.ask(at(8, 1719), message).unwrap();
    let Ok(Message::RegistrationReject(RegistrationReject {
        reject_reason,
        alt_gk_info,
        ..
    })) = Message::decode(&refused)
    else {
        panic!("not refused");
    };
    assert_eq!(reject_reason, RegistrationRejectReason::ResourceUnavailable);
    let instead = alt_gk_info.unwrap().alternate_gatekeeper.first().unwrap();
    assert_eq!(instead.ras_address.socket_address(), Some(at(101, 1719)));
    // Who is here may stay.
    assert_eq!(world.keep_alive(9, &identifier), Ok(identifier));
}

#[test]
fn discovery_is_answered_by_the_one_that_is_meant() {
    let mut world = World::new();
    let discover = |world: &mut World, identifier: Option<&'static str>| {
        let request = GatekeeperRequest {
            request_seq_num: world.number(),
            protocol_identifier: VERSION_7,
            gatekeeper_identifier: identifier.map(Into::into),
            ras_address: at(9, 1719).into(),
            ..GatekeeperRequest::default()
        };
        world.ask(at(9, 1719), Message::GatekeeperRequest(request))
    };
    assert_eq!(discover(&mut world, Some("gk-b")), None);
    for identifier in [None, Some("gk-a")] {
        let answer = discover(&mut world, identifier).unwrap();
        let Ok(Message::GatekeeperConfirm(confirm)) = Message::decode(&answer) else {
            panic!("not found");
        };
        assert_eq!(confirm.ras_address.socket_address(), Some(at(1, 1719)));
    }
    world.gatekeeper.set_closed(true);
    let answer = discover(&mut world, None).unwrap();
    assert!(matches!(
        Message::decode(&answer),
        Ok(Message::GatekeeperReject(_))
    ));
}

#[test]
fn who_asks_whether_it_lives_is_answered() {
    let mut world = World::new();
    assert_eq!(world.finds(MONITORING_ALIAS), None);
}

#[test]
fn strangers_hear_little() {
    let mut world = World::new();
    world.gatekeeper.set_alternates(alternates(6));
    // The shortest that can be asked.
    let request = GatekeeperRequest {
        request_seq_num: Number(1),
        protocol_identifier: VERSION_7,
        ..GatekeeperRequest::default()
    };
    let message = octets(Message::GatekeeperRequest(request));
    if let Some(answer) = world.send(at(9, 1719), &message) {
        assert!(answer.len() <= message.len() * 3);
    }
    // What is no message, or nothing to be answered, gets no answer.
    assert_eq!(world.send(at(9, 1719), b"OPTIONS sip:a SIP/2.0\r\n"), None);
    assert_eq!(world.send(at(9, 1719), &message[..5]), None);
    let later = [0x87, 0x03, 0x11, 0xaa, 0x55];
    assert_eq!(world.send(at(9, 1719), &later), None);
    assert!(world.gatekeeper.tally().faults.iter().sum::<u64>() >= 1);
    // One that is registered is told that a message was not understood.
    world.register(9, "alice").unwrap();
    let answer = world.send(at(9, 1719), &later).unwrap();
    let Ok(Message::UnknownMessageResponse(response)) = Message::decode(&answer) else {
        panic!("{answer:?}");
    };
    assert_eq!(response.message_not_understood, Some(&later[..]));
    // Not each time.
    assert_eq!(world.send(at(9, 1719), &later), None);
    world.wait(1);
    assert!(world.send(at(9, 1719), &later).is_some());
}
