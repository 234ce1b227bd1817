//! RAS messages of any content are read as they were written, and mutated ones never do harm.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/ras.rs"]
mod ras;
#[path = "support/ras_exhaust.rs"]
mod ras_exhaust;

use proptest::prelude::*;
use signaling::h323::per::{Ia5, Integer, Number, Octets};
use signaling::h323::ras::{
    AdmissionRequest, BandwidthReject, LocationRequest, Message, NonStandardMessage,
    RegistrationRequest, ResourcesAvailableIndicate, VERSION_7,
};
use signaling::h323::types::{
    AliasAddress, CallIdentifier, CallsAvailable, ClearToken, NonStandardIdentifier,
    NonStandardParameter, StandardIdentifier, TransportAddress, VendorIdentifier,
};
use std::net::{IpAddr, SocketAddr};

fn sequence_number() -> impl Strategy<Value = Number<1, 0xffff>> {
    (1..=0xffff_u32).prop_map(Number)
}

fn alias() -> impl Strategy<Value = AliasAddress<'static>> {
    prop_oneof![
        "[0-9#*,]{1,128}".prop_map(|text| AliasAddress::DialledDigits((&*text.leak()).into())),
        ".{1,128}".prop_map(|text| AliasAddress::H323Id((&*text.leak()).into())),
        "[ -~]{1,512}".prop_map(|text| AliasAddress::UrlId(Ia5(text.leak()))),
        "[ -~]{1,512}".prop_map(|text| AliasAddress::EmailId(Ia5(text.leak()))),
        address().prop_map(AliasAddress::TransportId),
    ]
}

fn address() -> impl Strategy<Value = TransportAddress<'static>> {
    any::<(IpAddr, u16)>().prop_map(|(ip, port)| SocketAddr::new(ip, port).into())
}

fn aliases() -> impl Strategy<Value = Vec<AliasAddress<'static>>> {
    prop::collection::vec(alias(), 0..140)
}

/// `Some` half of the time.
fn perhaps<T: std::fmt::Debug + Clone + 'static>(
    value: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Option<T>> {
    prop::option::of(value)
}

fn registration() -> impl Strategy<Value = Message<'static>> {
    let fields = (
        sequence_number(),
        any::<[bool; 4]>(),
        prop::collection::vec(address(), 0..3),
        perhaps(aliases()),
        perhaps("\\PC{1,60}"),
        perhaps(1..=u32::MAX),
        prop::collection::vec(any::<u8>(), 1..=256),
    );
    fields.prop_map(
        |(number, flags, addresses, aliases, identifier, seconds, product)| {
            let [discovered, keep_alive, has_flag, flag] = flags;
            Message::RegistrationRequest(RegistrationRequest {
                request_seq_num: number,
                protocol_identifier: VERSION_7,
                discovery_complete: discovered,
                ras_address: ras::list(addresses),
                terminal_alias: aliases.map(ras::list),
                endpoint_vendor: VendorIdentifier {
                    product_id: Some(Octets(product.leak())),
                    ..ras::vendor()
                },
                keep_alive: Some(keep_alive),
                maintain_connection: has_flag.then_some(flag),
                endpoint_identifier: identifier.map(|text| (&*text.leak()).into()),
                time_to_live: seconds.map(Number),
                ..RegistrationRequest::default()
            })
        },
    )
}

fn admission() -> impl Strategy<Value = Message<'static>> {
    let fields = (
        sequence_number(),
        aliases(),
        perhaps(aliases()),
        any::<(u32, u16, [u8; 16], bool)>(),
        perhaps(any::<[u8; 16]>()),
    );
    fields.prop_map(
        |(number, from, to, (width, reference, conference, answer), call)| {
            Message::AdmissionRequest(AdmissionRequest {
                request_seq_num: number,
                endpoint_identifier: "e".into(),
                src_info: ras::list(from),
                destination_info: to.map(ras::list),
                band_width: Number(width),
                call_reference_value: Number(reference.into()),
                conference_id: conference,
                answer_call: answer,
                call_identifier: call.map(|guid| CallIdentifier { guid }),
                ..AdmissionRequest::default()
            })
        },
    )
}

fn others() -> impl Strategy<Value = Message<'static>> {
    let fields = (
        sequence_number(),
        any::<(u32, i64, bool)>(),
        aliases(),
        address(),
        prop::collection::vec(any::<u8>(), 0..700),
        "[ -~]{1,128}",
    );
    fields.prop_map(
        |(number, (value, random, flag), aliases, address, data, group)| {
            let token = ClearToken {
                time_stamp: Some(Number(value.max(1))),
                random: Some(Integer(random)),
                ..ras::clear_token()
            };
            let mut capacity = ras::capacity(value, value >> 7);
            capacity
                .current_call_capacity
                .as_mut()
                .unwrap()
                .terminal_calls_available = Some(ras::list(vec![CallsAvailable {
                calls: Number(value),
                group: Some(Ia5(group.leak())),
                carrier: None,
            }]));
            match value % 4 {
                0 => Message::BandwidthReject(BandwidthReject {
                    request_seq_num: number,
                    allowed_band_width: Number(value),
                    tokens: Some(ras::list(vec![token])),
                    ..BandwidthReject::default()
                }),
                1 => Message::LocationRequest(LocationRequest {
                    request_seq_num: number,
                    destination_info: ras::list(aliases),
                    reply_address: address,
                    can_map_alias: Some(flag),
                    band_width: Some(Number(value)),
                    ..LocationRequest::default()
                }),
                2 => Message::NonStandardMessage(NonStandardMessage {
                    request_seq_num: number,
                    non_standard_data: NonStandardParameter {
                        non_standard_identifier: NonStandardIdentifier::Object(VERSION_7),
                        data: data.leak(),
                    },
                    ..NonStandardMessage::default()
                }),
                _ => Message::ResourcesAvailableIndicate(ResourcesAvailableIndicate {
                    request_seq_num: number,
                    almost_out_of_resources: flag,
                    capacity: Some(capacity),
                    crypto_tokens: Some(ras::list(vec![ras::crypto_token()])),
                    ..ras::resources_available()
                }),
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        message in prop_oneof![registration(), admission(), others()],
        stale in any::<u8>(),
    ) {
        let mut buffer = vec![stale; 0xffff];
        let length = message.encode(&mut buffer).unwrap();
        let bytes = buffer.get(..length).unwrap();
        prop_assert_eq!(Message::decode(bytes), Ok(message));
        for end in [length / 3, length - 1] {
            prop_assert!(Message::decode(bytes.get(..end).unwrap()).is_err());
        }
    }

    #[test]
    fn any_standard_identifier_is_read_as_it_was_written(number in any::<u32>()) {
        use signaling::h323::per::{Reader, Value, Writer};
        let mut buffer = [0; 16];
        let mut writer = Writer::new(&mut buffer);
        StandardIdentifier(number).write(&mut writer);
        let length = writer.finish().unwrap();
        let mut reader = Reader::new(buffer.get(..length).unwrap()).unwrap();
        prop_assert_eq!(StandardIdentifier::read(&mut reader), Ok(StandardIdentifier(number)));
    }

    #[test]
    fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        ras_exhaust::exhaust(&bytes);
    }
}

/// Bits and octets of good messages, changed at random: a million where there is time (`BATON_LONG=1`).
#[test]
fn mutated_messages_do_no_harm() {
    let is_long = std::env::var_os("BATON_LONG").is_some_and(|value| value == "1");
    let rounds = if is_long { 1_000_000 } else { 40_000 };
    let messages: Vec<Vec<u8>> = ras::samples()
        .iter()
        .map(|(_, message, _)| {
            let mut buffer = vec![0; 4096];
            let length = message.encode(&mut buffer).unwrap();
            buffer.truncate(length);
            buffer
        })
        .collect();
    // xorshift64: the same bytes each time.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut taken = 0_u32;
    for _ in 0..rounds {
        let mut bytes = messages.get(random(messages.len())).unwrap().clone();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            match random(5) {
                0 => bytes.truncate(at + 1),
                1 => bytes.insert(at, u8::try_from(random(256)).unwrap()),
                2 => {
                    bytes.remove(at);
                    bytes.push(0);
                }
                3 => *bytes.get_mut(at).unwrap() = u8::try_from(random(256)).unwrap(),
                _ => *bytes.get_mut(at).unwrap() ^= 1 << random(8),
            }
        }
        taken += u32::from(ras_exhaust::exhaust(&bytes));
    }
    // Some are messages still: the rest of the way was tried, too.
    assert!(taken > rounds / 100, "{taken} of {rounds}");
}
