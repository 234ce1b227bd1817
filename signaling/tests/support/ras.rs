//! One RAS message of each kind, as values: what the tests of the codec, its bench and tshark are given.
#![allow(dead_code, reason = "each test crate uses its own part of this module")]
#![allow(clippy::too_many_lines, reason = "these are tables")]
#![allow(
    clippy::expect_used,
    reason = "a sample that cannot be made must fail the test"
)]

use signaling::h323::per::{Bits, Bmp, Ia5, Integer, List, Number, Octets, Oid};
use signaling::h323::ras::*;
use signaling::h323::types::*;
use std::net::SocketAddr;

const CALL: [u8; 16] = *b" !\"#$%&'()*+,-./";
const CONFERENCE: [u8; 16] = *b"@ABCDEFGHIJKLMNO";

/// A name, a message, and what tshark must find in it: fields and the values that it shows.
pub(crate) type Sample = (
    &'static str,
    Message<'static>,
    &'static [(&'static str, &'static str)],
);

/// Every message.
pub(crate) fn samples() -> Vec<Sample> {
    let mut samples = discovery();
    samples.extend(registration());
    samples.extend(calls());
    samples.extend(searches());
    samples.extend(others());
    samples
}

/// A list that lives as long as the program, which is a test.
pub(crate) fn list<T, const MAX: u32>(entries: Vec<T>) -> List<'static, T, MAX> {
    let entries: &'static [T] = Box::leak(entries.into_boxed_slice());
    List::from(entries)
}

pub(crate) fn address(text: &str) -> TransportAddress<'static> {
    text.parse::<SocketAddr>().expect("an address").into()
}

pub(crate) fn vendor() -> VendorIdentifier<'static> {
    VendorIdentifier {
        vendor: H221NonStandard {
            t35_country_code: Number(181),
            t35_extension: Number(0),
            manufacturer_code: Number(18),
        },
        product_id: Some(Octets(b"unit")),
        version_id: Some(Octets(b"2")),
        enterprise_number: None,
    }
}

pub(crate) fn terminal() -> EndpointType<'static> {
    EndpointType {
        vendor: Some(vendor()),
        terminal: Some(BareInfo::default()),
        ..EndpointType::default()
    }
}

pub(crate) fn alternates() -> List<'static, AlternateGk<'static>> {
    let alternate = |at: &str, name: &'static str| AlternateGk {
        ras_address: address(at),
        gatekeeper_identifier: Some(Bmp::from(name)),
        need_to_register: true,
        priority: Number(1),
    };
    list(vec![
        alternate("192.0.2.2:1719", "Alternate 1"),
        alternate("192.0.2.3:1719", "Alternate 2"),
    ])
}

pub(crate) fn capacity(maximum: u32, current: u32) -> CallCapacity<'static> {
    let info = |calls| CallCapacityInfo {
        mcu_calls_available: Some(list(vec![CallsAvailable {
            calls: Number(calls),
            ..CallsAvailable::default()
        }])),
        ..CallCapacityInfo::default()
    };
    CallCapacity {
        maximum_call_capacity: Some(info(maximum)),
        current_call_capacity: Some(info(current)),
    }
}

pub(crate) fn clear_token() -> ClearToken<'static> {
    ClearToken {
        token_oid: Oid::of(&[0x00, 0x08, 0x81, 0x6b, 0x00, 0x02, 0x05]),
        time_stamp: Some(Number(1_700_000_000)),
        random: Some(Integer(-7)),
        general_id: Some(Bmp::from("gk-a")),
        senders_id: Some(Bmp::from("gk-b")),
        ..ClearToken::default()
    }
}

/// A token as H.235.1 has it.
pub(crate) fn crypto_token() -> CryptoH323Token<'static> {
    CryptoH323Token::NestedCryptoToken(CryptoToken::CryptoHashedToken(HashedToken {
        token_oid: Oid::of(&[0x00, 0x08, 0x81, 0x6b, 0x00, 0x02, 0x01]),
        hashed_vals: clear_token(),
        token: Hashed {
            algorithm_oid: Oid::of(&[0x00, 0x08, 0x81, 0x6b, 0x00, 0x02, 0x06]),
            params: Params::default(),
            hash: Bits {
                octets: &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
                count: 96,
            },
        },
    }))
}

fn generic_data() -> List<'static, GenericData<'static>> {
    let parameter = |number, content| EnumeratedParameter {
        id: GenericIdentifier::Standard(StandardIdentifier(number)),
        content: Some(content),
    };
    let bare = |number| EnumeratedParameter {
        id: GenericIdentifier::Standard(StandardIdentifier(number)),
        content: None,
    };
    let nested = GenericData {
        id: GenericIdentifier::Standard(StandardIdentifier(7)),
        parameters: None,
    };
    list(vec![GenericData {
        id: GenericIdentifier::NonStandard(CALL),
        parameters: Some(list(vec![
            parameter(1, Content::Raw(&[1, 2])),
            parameter(2, Content::Text(Ia5("abc"))),
            parameter(3, Content::Unicode(Bmp::from("\u{e9}"))),
            parameter(4, Content::Number16(Number(256))),
            parameter(5, Content::Compound(Inner(list(vec![bare(1)])))),
            parameter(6, Content::Nested(Inner(list(vec![nested])))),
            parameter(8, Content::Number8(Number(9))),
            parameter(9, Content::Alias(AliasAddress::DialledDigits("5".into()))),
            parameter(9, Content::Transport(address("1.2.3.4:5"))),
        ])),
    }])
}

fn discovery() -> Vec<Sample> {
    let request = GatekeeperRequest {
        request_seq_num: Number(1),
        protocol_identifier: VERSION_7,
        ras_address: TransportAddress::Nsap(Octets(&[1, 2, 3])),
        endpoint_type: EndpointType {
            gatekeeper: Some(BareInfo::default()),
            ..EndpointType::default()
        },
        call_services: Some(QseriesOptions {
            q932_full: true,
            q954_info: Q954Details {
                conference_calling: true,
                three_party_service: false,
            },
            ..QseriesOptions::default()
        }),
        supports_assigned_gk: Some(false),
        ..GatekeeperRequest::default()
    };
    let confirm = GatekeeperConfirm {
        request_seq_num: Number(1),
        protocol_identifier: VERSION_7,
        gatekeeper_identifier: Some("gk-a".into()),
        ras_address: address("192.0.2.1:1719"),
        alternate_gatekeeper: Some(alternates()),
        ..GatekeeperConfirm::default()
    };
    let reject = GatekeeperReject {
        request_seq_num: Number(1),
        protocol_identifier: VERSION_7,
        reject_reason: GatekeeperRejectReason::ResourceUnavailable,
        alt_gk_info: Some(AltGkInfo {
            alternate_gatekeeper: alternates(),
            alt_gk_is_permanent: false,
        }),
        ..GatekeeperReject::default()
    };
    vec![
        (
            "gatekeeper_request_q",
            Message::GatekeeperRequest(request),
            &[
                ("h225.requestSeqNum", "1"),
                ("h225.protocolIdentifier", "0.0.8.2250.0.7"),
                ("h225.nsap", "01:02:03"),
                ("h225.q932Full", "1"),
                ("h225.conferenceCalling", "1"),
                ("h225.threePartyService", "0"),
            ],
        ),
        (
            "gatekeeper_confirm",
            Message::GatekeeperConfirm(confirm),
            &[
                ("h225.gatekeeperIdentifier", "gk-a"),
                ("h225.gatekeeperIdentifier", "Alternate 2"),
                ("h225.needToRegister", "1"),
                ("h225.priority", "1"),
            ],
        ),
        (
            "gatekeeper_reject",
            Message::GatekeeperReject(reject),
            &[
                ("h225.rejectReason", "0"),
                ("h225.gatekeeperIdentifier", "Alternate 1"),
                ("h225.altGKisPermanent", "0"),
            ],
        ),
    ]
}

/// The request of an endpoint of the VCS family.
pub(crate) fn registration_request() -> RegistrationRequest<'static> {
    RegistrationRequest {
        request_seq_num: Number(2),
        protocol_identifier: Oid::of(&[0x00, 0x08, 0x91, 0x4a, 0x00, 0x06]),
        call_signal_address: list(vec![address("192.0.2.9:1720")]),
        ras_address: list(vec![address("192.0.2.9:1719")]),
        terminal_type: EndpointType {
            gateway: Some(GatewayInfo {
                protocol: Some(list(vec![
                    SupportedProtocols::H323(ProtocolCaps::default()),
                ])),
                non_standard_data: None,
            }),
            ..terminal()
        },
        terminal_alias: Some(list(vec![AliasAddress::H323Id(
            "z\u{fc}rich \u{263a}".into(),
        )])),
        endpoint_vendor: vendor(),
        time_to_live: Some(Number(1800)),
        keep_alive: Some(true),
        endpoint_identifier: Some("8b1c0a9e-0001-0002-0003-0123456789ab_1".into()),
        will_supply_uuies: Some(false),
        maintain_connection: Some(false),
        supports_alt_gk: Some(()),
        feature_set: Some(FeatureSet {
            supported_features: Some(list(vec![GenericData {
                id: GenericIdentifier::Standard(StandardIdentifier(18)),
                parameters: None,
            }])),
            ..FeatureSet::default()
        }),
        generic_data: Some(generic_data()),
        supports_assigned_gk: Some(false),
        ..RegistrationRequest::default()
    }
}

fn registration() -> Vec<Sample> {
    let confirm = RegistrationConfirm {
        request_seq_num: Number(2),
        protocol_identifier: VERSION_7,
        call_signal_address: list(vec![address("192.0.2.1:1720")]),
        terminal_alias: Some(list(vec![AliasAddress::DialledDigits("1001".into())])),
        gatekeeper_identifier: Some("gk-a".into()),
        endpoint_identifier: "4711_ep".into(),
        alternate_gatekeeper: Some(alternates()),
        time_to_live: Some(Number(60)),
        will_respond_to_irr: Some(false),
        pre_granted_arq: Some(PreGrantedArq {
            make_call: true,
            total_bandwidth_restriction: Some(Number(7680)),
            ..PreGrantedArq::default()
        }),
        maintain_connection: Some(false),
        supports_additive_registration: Some(()),
        ..RegistrationConfirm::default()
    };
    let full = RegistrationReject {
        request_seq_num: Number(2),
        protocol_identifier: VERSION_7,
        reject_reason: RegistrationRejectReason::FullRegistrationRequired,
        ..RegistrationReject::default()
    };
    let taken = list(vec![AliasAddress::DialledDigits("1001".into())]);
    let duplicate = RegistrationReject {
        reject_reason: RegistrationRejectReason::DuplicateAlias(taken),
        gatekeeper_identifier: Some("gk-a".into()),
        ..full
    };
    let leave = UnregistrationRequest {
        request_seq_num: Number(10),
        call_signal_address: list(vec![address("192.0.2.9:1720")]),
        endpoint_identifier: Some("4711_ep".into()),
        reason: Some(UnregRequestReason::TtlExpired),
        ..UnregistrationRequest::default()
    };
    let left = UnregistrationConfirm {
        request_seq_num: Number(10),
        ..UnregistrationConfirm::default()
    };
    let stay = UnregistrationReject {
        request_seq_num: Number(10),
        reject_reason: UnregRejectReason::CallInProgress,
        ..UnregistrationReject::default()
    };
    vec![
        (
            "registration_request_features",
            Message::RegistrationRequest(registration_request()),
            &[
                ("h225.timeToLive", "1800"),
                ("h225.keepAlive", "1"),
                ("h225.h323_ID", "z\u{fc}rich \u{263a}"),
                (
                    "h225.endpointIdentifier",
                    "8b1c0a9e-0001-0002-0003-0123456789ab_1",
                ),
                ("h225.protocolIdentifier", "0.0.8.2250.0.6"),
                ("h225.number16", "256"),
                ("h225.manufacturerCode", "18"),
                ("h225.discoveryComplete", "0"),
            ],
        ),
        (
            "registration_confirm",
            Message::RegistrationConfirm(confirm),
            &[
                ("h225.timeToLive", "60"),
                ("h225.dialledDigits", "1001"),
                ("h225.endpointIdentifier", "4711_ep"),
                ("h225.makeCall", "1"),
                ("h225.answerCall", "0"),
                ("h225.totalBandwidthRestriction", "7680"),
                ("h225.willRespondToIRR", "0"),
            ],
        ),
        (
            "registration_reject_full",
            Message::RegistrationReject(full),
            &[("h225.rejectReason", "12")],
        ),
        (
            "registration_reject_duplicate",
            Message::RegistrationReject(duplicate),
            &[("h225.rejectReason", "4"), ("h225.dialledDigits", "1001")],
        ),
        (
            "unregistration_request",
            Message::UnregistrationRequest(leave),
            &[("h225.reason", "1"), ("h225.requestSeqNum", "10")],
        ),
        (
            "unregistration_confirm",
            Message::UnregistrationConfirm(left),
            &[("h225.requestSeqNum", "10")],
        ),
        (
            "unregistration_reject",
            Message::UnregistrationReject(stay),
            &[("h225.rejectReason", "1")],
        ),
    ]
}

/// A call to a conference.
pub(crate) fn admission_request() -> AdmissionRequest<'static> {
    AdmissionRequest {
        request_seq_num: Number(7),
        call_type: CallType::PointToPoint,
        call_model: Some(CallModel::Direct),
        endpoint_identifier: "4711_ep".into(),
        destination_info: Some(list(vec![AliasAddress::H323Id("meet.sales".into())])),
        src_info: list(vec![
            AliasAddress::DialledDigits("*12,34#".into()),
            AliasAddress::EmailId(Ia5("a@example.com")),
        ]),
        src_call_signal_address: Some(address("192.0.2.9:1720")),
        band_width: Number(7680),
        call_reference_value: Number(20_000),
        conference_id: CONFERENCE,
        can_map_alias: Some(true),
        call_identifier: Some(CallIdentifier { guid: CALL }),
        gatekeeper_identifier: Some("gk-a".into()),
        will_supply_uuies: Some(false),
        can_map_src_alias: Some(true),
        ..AdmissionRequest::default()
    }
}

fn calls() -> Vec<Sample> {
    let confirm = AdmissionConfirm {
        request_seq_num: Number(7),
        band_width: Number(70_000),
        call_model: CallModel::GatekeeperRouted,
        dest_call_signal_address: address("192.0.2.10:1720"),
        irr_frequency: Some(Number(120)),
        will_respond_to_irr: Some(false),
        uuies_requested: Some(UuiesRequested {
            connect: true,
            ..UuiesRequested::default()
        }),
        ..AdmissionConfirm::default()
    };
    let full = AdmissionReject {
        request_seq_num: Number(9),
        reject_reason: AdmissionRejectReason::ExceedsCallCapacity,
        ..AdmissionReject::default()
    };
    let number = PartyNumber::E164Number(PublicPartyNumber {
        public_type_of_number: PublicTypeOfNumber::InternationalNumber,
        public_number_digits: "4930123".into(),
    });
    let elsewhere = AdmissionReject {
        reject_reason: AdmissionRejectReason::RouteCallToScn(list(vec![number])),
        ..full
    };
    let raise = BandwidthRequest {
        request_seq_num: Number(8),
        endpoint_identifier: "4711_ep".into(),
        conference_id: CONFERENCE,
        call_reference_value: Number(20_000),
        call_type: Some(CallType::PointToPoint),
        band_width: Number(0x0100_0000),
        call_identifier: Some(CallIdentifier { guid: CALL }),
        answered_call: Some(true),
        ..BandwidthRequest::default()
    };
    let raised = BandwidthConfirm {
        request_seq_num: Number(8),
        band_width: Number(15_360),
        capacity: Some(capacity(500, 123)),
        ..BandwidthConfirm::default()
    };
    let not_raised = BandwidthReject {
        request_seq_num: Number(8),
        reject_reason: BandRejectReason::InsufficientResources,
        allowed_band_width: Number(3840),
        ..BandwidthReject::default()
    };
    vec![
        (
            "admission_request",
            Message::AdmissionRequest(admission_request()),
            &[
                ("h225.bandWidth", "7680"),
                ("h225.callReferenceValue", "20000"),
                ("h225.dialledDigits", "*12,34#"),
                ("h225.email_ID", "a@example.com"),
                ("h225.h323_ID", "meet.sales"),
                ("h225.gatekeeperIdentifier", "gk-a"),
                ("h225.canMapAlias", "1"),
                ("h225.canMapSrcAlias", "1"),
                ("h225.guid", "20212223-2425-2627-2829-2a2b2c2d2e2f"),
                ("h225.conferenceID", "40414243-4445-4647-4849-4a4b4c4d4e4f"),
            ],
        ),
        (
            "admission_confirm",
            Message::AdmissionConfirm(confirm),
            &[
                ("h225.bandWidth", "70000"),
                ("h225.callModel", "1"),
                ("h225.irrFrequency", "120"),
                ("h225.connect", "1"),
                ("h225.alerting", "0"),
            ],
        ),
        (
            "admission_reject_extension_reason",
            Message::AdmissionReject(full),
            &[("h225.rejectReason", "13")],
        ),
        (
            "admission_reject_party_numbers",
            Message::AdmissionReject(elsewhere),
            &[
                ("h225.rejectReason", "12"),
                ("h225.publicNumberDigits", "4930123"),
            ],
        ),
        (
            "bandwidth_request",
            Message::BandwidthRequest(raise),
            &[("h225.bandWidth", "16777216"), ("h225.answeredCall", "1")],
        ),
        (
            "bandwidth_confirm",
            Message::BandwidthConfirm(raised),
            &[
                ("h225.bandWidth", "15360"),
                ("h225.calls", "500"),
                ("h225.calls", "123"),
            ],
        ),
        (
            "bandwidth_reject",
            Message::BandwidthReject(not_raised),
            &[
                ("h225.rejectReason", "3"),
                ("h225.allowedBandWidth", "3840"),
            ],
        ),
        disengage_request(),
        (
            "disengage_confirm",
            Message::DisengageConfirm(DisengageConfirm {
                request_seq_num: Number(10),
                tokens: Some(list(vec![clear_token()])),
                crypto_tokens: Some(list(vec![crypto_token()])),
                ..DisengageConfirm::default()
            }),
            &[
                ("h235.tokenOID", "0.0.8.235.0.2.1"),
                ("h225.requestSeqNum", "10"),
            ],
        ),
        (
            "disengage_reject",
            Message::DisengageReject(DisengageReject {
                request_seq_num: Number(10),
                reject_reason: DisengageRejectReason::RequestToDropOther,
                ..DisengageReject::default()
            }),
            &[("h225.rejectReason", "1")],
        ),
    ]
}

fn disengage_request() -> Sample {
    let request = DisengageRequest {
        request_seq_num: Number(10),
        endpoint_identifier: "4711_ep".into(),
        conference_id: CONFERENCE,
        call_reference_value: Number(20_000),
        disengage_reason: DisengageReason::NormalDrop,
        call_identifier: Some(CallIdentifier { guid: CALL }),
        answered_call: Some(false),
        ..DisengageRequest::default()
    };
    (
        "disengage_request",
        Message::DisengageRequest(request),
        &[("h225.disengageReason", "1"), ("h225.answeredCall", "0")],
    )
}

/// A search for an alias.
pub(crate) fn location_request() -> LocationRequest<'static> {
    LocationRequest {
        request_seq_num: Number(4),
        destination_info: list(vec![AliasAddress::H323Id("meet.sales".into())]),
        reply_address: address("192.0.2.2:1719"),
        source_info: Some(list(vec![AliasAddress::H323Id("gk-b".into())])),
        can_map_alias: Some(true),
        gatekeeper_identifier: Some("gk-a".into()),
        hop_count: Some(Number(1)),
        call_identifier: Some(CallIdentifier { guid: CALL }),
        band_width: Some(Number(7680)),
        can_map_src_alias: Some(false),
        ..LocationRequest::default()
    }
}

fn searches() -> Vec<Sample> {
    let long = LocationRequest {
        request_seq_num: Number(1),
        destination_info: list(vec![
            AliasAddress::H323Id(Bmp::from(&*"x".repeat(256).leak())),
            AliasAddress::UrlId(Ia5("u".repeat(300).leak())),
        ]),
        reply_address: address("[2001:db8::1]:1719"),
        hop_count: Some(Number(1)),
        ..LocationRequest::default()
    };
    let confirm = LocationConfirm {
        request_seq_num: Number(4),
        call_signal_address: address("192.0.2.10:1720"),
        ras_address: address("192.0.2.1:1719"),
        destination_info: Some(list(vec![AliasAddress::UrlId(Ia5(
            "meet.1234@example.com",
        ))])),
        destination_type: Some(EndpointType {
            mcu: Some(McuInfo::default()),
            mc: true,
            ..EndpointType::default()
        }),
        supported_protocols: Some(list(vec![SupportedProtocols::Sip(SipCaps::default())])),
        ..LocationConfirm::default()
    };
    let reject = LocationReject {
        request_seq_num: Number(1),
        reject_reason: LocationRejectReason::HopCountExceeded,
        ..LocationReject::default()
    };
    vec![
        (
            "location_request",
            Message::LocationRequest(location_request()),
            &[
                ("h225.hopCount", "1"),
                ("h225.h323_ID", "meet.sales"),
                ("h225.h323_ID", "gk-b"),
                ("h225.bandWidth", "7680"),
            ],
        ),
        (
            "location_request_ip6_long_alias",
            Message::LocationRequest(long),
            &[("h225.hopCount", "1"), ("h225.ipV6", "2001:db8::1")],
        ),
        (
            "location_confirm",
            Message::LocationConfirm(confirm),
            &[
                ("h225.url_ID", "meet.1234@example.com"),
                ("h225.ipV4", "192.0.2.10"),
                ("h225.ipV4_port", "1720"),
                ("h225.mc", "1"),
            ],
        ),
        (
            "location_reject_hops",
            Message::LocationReject(reject),
            &[("h225.rejectReason", "10")],
        ),
    ]
}

fn others() -> Vec<Sample> {
    let mut samples = information();
    samples.extend(resources());
    samples
}

fn information() -> Vec<Sample> {
    let request = InfoRequest {
        request_seq_num: Number(3),
        reply_address: Some(address("192.0.2.1:1719")),
        capacity_info_requested: Some(()),
        ..InfoRequest::default()
    };
    let audio = RtpSession {
        rtp_address: TransportChannelInfo {
            recv_address: Some(address("192.0.2.9:5004")),
            send_address: None,
        },
        cname: Ia5("ab"),
        ssrc: Number(99),
        session_id: Number(1),
        associated_session_ids: list(vec![Number(2), Number(255)]),
        ..RtpSession::default()
    };
    let call = PerCallInfo {
        call_reference_value: Number(5),
        conference_id: CONFERENCE,
        originator: Some(true),
        audio: Some(list(vec![audio])),
        call_signalling: TransportChannelInfo {
            send_address: Some(address("192.0.2.9:1720")),
            recv_address: None,
        },
        band_width: Number(7680),
        call_identifier: Some(CallIdentifier { guid: CALL }),
        substitute_conf_ids: Some(List::default()),
        ..PerCallInfo::default()
    };
    let response = InfoRequestResponse {
        request_seq_num: Number(3),
        endpoint_type: EndpointType {
            undefined_node: true,
            ..EndpointType::default()
        },
        endpoint_identifier: "4711_ep".into(),
        ras_address: address("192.0.2.9:1719"),
        per_call_info: Some(list(vec![call])),
        need_response: Some(true),
        unsolicited: Some(true),
        ..InfoRequestResponse::default()
    };
    let no = InfoRequestNak {
        request_seq_num: Number(3),
        nak_reason: InfoRequestNakReason::UndefinedReason,
        ..InfoRequestNak::default()
    };
    vec![
        (
            "info_request",
            Message::InfoRequest(request),
            &[
                ("h225.callReferenceValue", "0"),
                ("h225.requestSeqNum", "3"),
            ],
        ),
        (
            "info_request_response_calls",
            Message::InfoRequestResponse(response),
            &[
                ("h225.cname", "ab"),
                ("h225.ssrc", "99"),
                ("h225.originator", "1"),
                ("h225.needResponse", "1"),
                ("h225.undefinedNode", "1"),
                ("h225.bandWidth", "7680"),
            ],
        ),
        (
            "info_request_ack",
            Message::InfoRequestAck(InfoRequestAck {
                request_seq_num: Number(65_535),
                ..InfoRequestAck::default()
            }),
            &[("h225.requestSeqNum", "65535")],
        ),
        (
            "info_request_nak",
            Message::InfoRequestNak(no),
            &[("h225.nakReason", "2")],
        ),
    ]
}

/// What a peer says of its calls.
pub(crate) fn resources_available() -> ResourcesAvailableIndicate<'static> {
    ResourcesAvailableIndicate {
        request_seq_num: Number(6),
        protocol_identifier: VERSION_7,
        endpoint_identifier: "peer2".into(),
        protocols: list(vec![
            SupportedProtocols::H323(ProtocolCaps {
                data_rates_supported: Some(list(vec![DataRate {
                    channel_rate: Number(640),
                    channel_multiplier: Some(Number(256)),
                    ..DataRate::default()
                }])),
                ..ProtocolCaps::default()
            }),
            SupportedProtocols::Voice(ProtocolCaps::default()),
        ]),
        almost_out_of_resources: true,
        capacity: Some(capacity(500, 123)),
        ..ResourcesAvailableIndicate::default()
    }
}

fn resources() -> Vec<Sample> {
    let octets: &'static [u8] = (0..200).collect::<Vec<u8>>().leak();
    let non_standard = NonStandardMessage {
        request_seq_num: Number(65_535),
        non_standard_data: NonStandardParameter {
            non_standard_identifier: NonStandardIdentifier::H221NonStandard(H221NonStandard {
                t35_country_code: Number(9),
                t35_extension: Number(0),
                manufacturer_code: Number(8256),
            }),
            data: octets,
        },
        ..NonStandardMessage::default()
    };
    let unknown = UnknownMessageResponse {
        request_seq_num: Number(12),
        message_not_understood: Some(&[0x7f, 0]),
        ..UnknownMessageResponse::default()
    };
    let wait = RequestInProgress {
        request_seq_num: Number(300),
        tokens: Some(list(vec![clear_token()])),
        crypto_tokens: Some(list(vec![crypto_token()])),
        delay: Number(65_535),
        ..RequestInProgress::default()
    };
    vec![
        (
            "non_standard_message",
            Message::NonStandardMessage(non_standard),
            &[
                ("h225.manufacturerCode", "8256"),
                ("h225.t35CountryCode", "9"),
            ],
        ),
        (
            "unknown_message_response",
            Message::UnknownMessageResponse(unknown),
            &[("h225.messageNotUnderstood", "7f:00")],
        ),
        (
            "request_in_progress_with_tokens",
            Message::RequestInProgress(wait),
            &[
                ("h225.delay", "65535"),
                ("h235.generalID", "gk-a"),
                ("h235.sendersID", "gk-b"),
                ("h235.random", "-7"),
                ("h235.algorithmOID", "0.0.8.235.0.2.6"),
                ("h235.hash", "01:02:03:04:05:06:07:08:09:0a:0b:0c"),
            ],
        ),
        (
            "resources_available",
            Message::ResourcesAvailableIndicate(resources_available()),
            &[
                ("h225.almostOutOfResources", "1"),
                ("h225.calls", "500"),
                ("h225.calls", "123"),
                ("h225.channelRate", "640"),
                ("h225.channelMultiplier", "256"),
                ("h225.endpointIdentifier", "peer2"),
            ],
        ),
        (
            "resources_confirm",
            Message::ResourcesAvailableConfirm(ResourcesAvailableConfirm {
                request_seq_num: Number(6),
                protocol_identifier: VERSION_7,
                ..ResourcesAvailableConfirm::default()
            }),
            &[("h225.protocolIdentifier", "0.0.8.2250.0.7")],
        ),
        service_control(),
        (
            "service_control_response",
            Message::ServiceControlResponse(ServiceControlResponse {
                request_seq_num: Number(11),
                result: Some(ServiceControlResult::NeededFeatureNotSupported),
                ..ServiceControlResponse::default()
            }),
            &[("h225.result", "4")],
        ),
    ]
}

fn service_control() -> Sample {
    let credit = CallCreditServiceControl {
        amount_string: Some("5".into()),
        billing_mode: Some(BillingMode::Debit),
        call_duration_limit: Some(Number(60)),
        enforce_call_duration_limit: Some(true),
        call_starting_point: Some(CallStartingPoint::Connect),
    };
    let sessions = vec![
        ServiceControlSession {
            session_id: Number(255),
            contents: Some(ServiceControlDescriptor::Url(Ia5("http://example.com/"))),
            reason: ServiceControlReason::Refresh,
        },
        ServiceControlSession {
            session_id: Number(0),
            contents: Some(ServiceControlDescriptor::CallCreditServiceControl(credit)),
            reason: ServiceControlReason::Close,
        },
    ];
    let indication = ServiceControlIndication {
        request_seq_num: Number(11),
        service_control: list(sessions),
        call_specific: Some(CallSpecific {
            call_identifier: CallIdentifier { guid: CALL },
            conference_id: CONFERENCE,
            answered_call: true,
        }),
        ..ServiceControlIndication::default()
    };
    (
        "service_control_url",
        Message::ServiceControlIndication(indication),
        &[
            ("h225.sessionId", "255"),
            ("h225.callDurationLimit", "60"),
            ("h225.answeredCall", "1"),
        ],
    )
}
