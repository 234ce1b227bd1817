//! A gatekeeper's registrations: discovery, registration, leaving, and the question whether it is alive.
//!
//! A core without I/O: [`Gatekeeper::handle_datagram`] takes one datagram in, [`Gatekeeper::poll_output`]
//! gives the answer, if there is one, [`Gatekeeper::poll_timeout`] says when registrations run out.
//! Answers go where the request came from and nowhere else, whatever addresses it names. What it does
//! not do yet: calls (ARQ, BRQ, DRQ), searches for others, capacity, H.235. Such requests get no answer
//! and are counted.

mod answers;
mod directory;
mod registration;

use super::per::{Fault, Number};
use super::ras::{
    GatekeeperConfirm, GatekeeperReject, GatekeeperRejectReason, GatekeeperRequest,
    LocationConfirm, LocationReject, LocationRejectReason, LocationRequest, Message,
    RegistrationRequest, UnknownMessageResponse, UnregistrationRequest, VERSION_7,
};
use super::types::{AliasAddress, AltGkInfo, AlternateGk, GatekeeperIdentifier};
use answers::{Answers, RequestKey};
use directory::Directory;
use siphasher::sip::SipHasher13;
use std::hash::Hasher;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What others ask for to see whether a gatekeeper is alive; any answer will do.
pub const MONITORING_ALIAS: &str = "gatekeeper-monitoring-check";
/// The longest answer.
const ANSWER_BYTES_MAX: usize = 1_400;
/// Alternates that are named in one answer.
const ALTERNATES_MAX: usize = 8;
/// A stranger gets so many times the octets of its request at most.
const AMPLIFICATION_MAX: usize = 3;

/// What a gatekeeper is told once.
#[derive(Clone, Debug)]
pub struct GatekeeperSettings {
    /// Its name.
    pub identifier: String,
    /// Where RAS is spoken.
    pub ras_address: SocketAddr,
    /// Where calls are taken.
    pub call_signal_address: SocketAddr,
    /// How long a registration holds without a refresh, at most.
    pub time_to_live: Duration,
    /// Who wins when two want one alias.
    pub conflict: Conflict,
    /// Endpoints that it takes.
    pub registrations_max: usize,
    /// Answers that are kept for repetitions.
    pub answers_max: usize,
    /// From which everything follows that must not be guessed.
    pub seed: u64,
}

/// Who wins when two want one alias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conflict {
    /// Who came first.
    #[default]
    Reject,
    /// Who came last; the other one is not registered any more.
    Overwrite,
}

/// Another member that endpoints may turn to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternate {
    /// Where it speaks RAS.
    pub ras_address: SocketAddr,
    /// Its name.
    pub identifier: String,
}

/// A datagram to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit<'g> {
    /// Where to.
    pub to: SocketAddr,
    /// What.
    pub octets: &'g [u8],
}

/// What happened, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Datagrams that are no message, by [`Fault::index`].
    pub faults: [u64; Fault::ALL.len()],
    /// Messages that nobody answers here.
    pub ignored: u64,
    /// Requests that were answered already and came again.
    pub repeated: u64,
    /// Endpoints that registered.
    pub registered: u64,
    /// Registrations that were refused.
    pub refused: u64,
    /// Registrations that ran out.
    pub expired: u64,
}

/// One gatekeeper.
#[derive(Debug)]
pub struct Gatekeeper {
    settings: GatekeeperSettings,
    alternates: Vec<Alternate>,
    /// Whether it takes nobody new.
    is_closed: bool,
    directory: Directory,
    answers: Answers,
    buffer: Box<[u8]>,
    /// Where the answer in the buffer goes, and how long it is.
    answer: Option<(SocketAddr, usize)>,
    /// How many things were drawn from the seed.
    drawn: u64,
    /// When somebody may next be told that a message was not understood.
    unknown_next: Option<Instant>,
    tally: Tally,
}

impl Gatekeeper {
    /// One without registrations.
    #[must_use]
    pub fn new(settings: GatekeeperSettings) -> Self {
        Self {
            answers: Answers::new(settings.answers_max, settings.seed),
            settings,
            alternates: Vec::new(),
            is_closed: false,
            directory: Directory::default(),
            buffer: vec![0; ANSWER_BYTES_MAX].into(),
            answer: None,
            drawn: 0,
            unknown_next: None,
            tally: Tally::default(),
        }
    }

    /// The other members that live: whom endpoints are told to turn to.
    pub fn set_alternates(&mut self, alternates: Vec<Alternate>) {
        self.alternates = alternates;
    }

    /// In maintenance nobody new is taken, and searches are sent elsewhere.
    pub fn set_closed(&mut self, is_closed: bool) {
        self.is_closed = is_closed;
    }

    /// Endpoints that are registered.
    #[must_use]
    pub fn registrations(&self) -> usize {
        self.directory.len()
    }

    /// What happened.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The answer to the last datagram, once.
    pub fn poll_output(&mut self) -> Option<Transmit<'_>> {
        let (to, length) = self.answer.take()?;
        let octets = self.buffer.get(..length)?;
        Some(Transmit { to, octets })
    }

    /// When to come back.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.directory.next_deadline()
    }

    /// Takes out whose time is over.
    pub fn handle_timeout(&mut self, now: Instant) {
        while self.directory.expire(now).is_some() {
            self.tally.expired += 1;
        }
    }

    /// One datagram that came in.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        debug_assert!(self.answer.is_none(), "the last answer was taken");
        self.handle_timeout(now);
        let message = match Message::decode(datagram) {
            Ok(message) => message,
            Err(fault) => {
                self.tally
                    .faults
                    .get_mut(fault.index())
                    .into_iter()
                    .for_each(|count| *count += 1);
                return;
            }
        };
        let Some(request) = Request::of(&message) else {
            self.handle_other(now, from, &message, datagram);
            return;
        };
        let key = request.key(from);
        if let Some(octets) = self.answers.find(&key, now) {
            self.tally.repeated += 1;
            let length = octets.len();
            if let Some(place) = self.buffer.get_mut(..length) {
                place.copy_from_slice(octets);
                self.answer = Some((from, length));
            }
            return;
        }
        // No reflector: whoever writes a victim's address into a datagram gains little.
        let room = match self.directory.knows_source(from) {
            true => ANSWER_BYTES_MAX,
            false => ANSWER_BYTES_MAX.min(datagram.len() * AMPLIFICATION_MAX),
        };
        match request {
            Request::Discovery(request) => self.handle_discovery(from, request, room),
            Request::Leaving(request) => self.handle_leaving(from, request),
            Request::Location(request) => self.handle_location(from, request),
            Request::Registration(request) => self.handle_registration(now, from, request, room),
        }
        if let Some((_, length)) = self.answer {
            debug_assert!(length <= room, "answers to strangers are short");
            let octets = self.buffer.get(..length).unwrap_or_default();
            self.answers.keep(key, octets, now);
        }
    }

    /// GRQ (H.225.0 §7.8).
    fn handle_discovery(&mut self, from: SocketAddr, request: &GatekeeperRequest<'_>, room: usize) {
        // Who looks for another gatekeeper is not answered (§7.8.1).
        let wanted = request.gatekeeper_identifier;
        if wanted.is_some_and(|wanted| !is_called(wanted, &self.settings.identifier)) {
            self.tally.ignored += 1;
            return;
        }
        let mut places = [AlternateGk::default(); ALTERNATES_MAX];
        let count = list(
            &self.alternates,
            &mut places,
            &mut self.drawn,
            self.settings.seed,
        );
        let alternates = places.get(..count).unwrap_or_default();
        let identifier = Some(GatekeeperIdentifier::from(&*self.settings.identifier));
        let reject = GatekeeperReject {
            request_seq_num: request.request_seq_num,
            protocol_identifier: VERSION_7,
            gatekeeper_identifier: identifier,
            reject_reason: GatekeeperRejectReason::ResourceUnavailable,
            ..GatekeeperReject::default()
        };
        let confirm = GatekeeperConfirm {
            request_seq_num: request.request_seq_num,
            protocol_identifier: VERSION_7,
            gatekeeper_identifier: identifier,
            ras_address: self.settings.ras_address.into(),
            ..GatekeeperConfirm::default()
        };
        let with = |alternates| {
            if self.is_closed {
                Message::GatekeeperReject(GatekeeperReject {
                    alt_gk_info: instead(alternates),
                    ..reject
                })
            } else {
                let alternate_gatekeeper = Some(alternates).filter(|list| !list.is_empty());
                Message::GatekeeperConfirm(GatekeeperConfirm {
                    alternate_gatekeeper: alternate_gatekeeper.map(Into::into),
                    ..confirm
                })
            }
        };
        let length = write(&mut self.buffer, room, [with(alternates), with(&[])]);
        self.answer = length.map(|length| (from, length));
    }

    /// LRQ (§7.13): is anybody here, and is somebody registered here?
    fn handle_location(&mut self, from: SocketAddr, request: &LocationRequest<'_>) {
        let mut found = None;
        for alias in request.destination_info {
            found = found.or_else(|| self.directory.find(&name(&alias)?));
        }
        let message = match found {
            Some(endpoint) => Message::LocationConfirm(LocationConfirm {
                request_seq_num: request.request_seq_num,
                call_signal_address: endpoint.call_signal_address.into(),
                ras_address: self.settings.ras_address.into(),
                ..LocationConfirm::default()
            }),
            // Also for the monitoring alias, which nobody has.
            None => Message::LocationReject(LocationReject {
                request_seq_num: request.request_seq_num,
                reject_reason: LocationRejectReason::NotRegistered,
                ..LocationReject::default()
            }),
        };
        self.put(from, message);
    }

    /// What nobody asks of a gatekeeper, or what is not known: XRS, to those who are registered alone.
    fn handle_other(
        &mut self,
        now: Instant,
        from: SocketAddr,
        message: &Message<'_>,
        datagram: &[u8],
    ) {
        self.tally.ignored += 1;
        let is_due = self.unknown_next.is_none_or(|next| next <= now);
        let (Message::Other(_), true) = (message, is_due && self.directory.knows_source(from))
        else {
            return;
        };
        self.unknown_next = Some(now + UNKNOWN_PAUSE);
        let answer = UnknownMessageResponse {
            // Where a message of a later version has its number is not known.
            request_seq_num: Number(1),
            message_not_understood: datagram.get(..datagram.len().min(MENTIONED_BYTES_MAX)),
            ..UnknownMessageResponse::default()
        };
        self.put(from, Message::UnknownMessageResponse(answer));
    }

    /// An answer that is short in any case.
    fn put(&mut self, to: SocketAddr, message: Message<'_>) {
        let length = write(&mut self.buffer, ANSWER_BYTES_MAX, [message]);
        self.answer = length.map(|length| (to, length));
    }

    /// Something that nobody guesses.
    fn draw(&mut self) -> u64 {
        draw(&mut self.drawn, self.settings.seed)
    }
}

/// Between two answers to messages that were not understood, whoever sent them.
const UNKNOWN_PAUSE: Duration = Duration::from_millis(100);
/// What of a message that was not understood is sent back.
const MENTIONED_BYTES_MAX: usize = 128;

/// What is asked of a gatekeeper.
#[derive(Clone, Copy, Debug)]
enum Request<'m, 'a> {
    Discovery(&'m GatekeeperRequest<'a>),
    Leaving(&'m UnregistrationRequest<'a>),
    Location(&'m LocationRequest<'a>),
    Registration(&'m RegistrationRequest<'a>),
}

impl<'m, 'a> Request<'m, 'a> {
    fn of(message: &'m Message<'a>) -> Option<Self> {
        if let Message::GatekeeperRequest(request) = message {
            Some(Self::Discovery(request))
        } else if let Message::RegistrationRequest(request) = message {
            Some(Self::Registration(request))
        } else if let Message::UnregistrationRequest(request) = message {
            Some(Self::Leaving(request))
        } else if let Message::LocationRequest(request) = message {
            Some(Self::Location(request))
        } else {
            None
        }
    }

    fn key(self, source: SocketAddr) -> RequestKey {
        let (kind, sequence_number) = match self {
            Self::Discovery(request) => (0, request.request_seq_num),
            Self::Registration(request) => (3, request.request_seq_num),
            Self::Leaving(request) => (6, request.request_seq_num),
            Self::Location(request) => (18, request.request_seq_num),
        };
        RequestKey {
            source,
            sequence_number: sequence_number.0,
            kind,
        }
    }
}

/// Writes the first of these messages that fits.
fn write<const COUNT: usize>(
    buffer: &mut [u8],
    room: usize,
    messages: [Message<'_>; COUNT],
) -> Option<usize> {
    let buffer = buffer.get_mut(..room)?;
    messages
        .iter()
        .find_map(|message| message.encode(buffer).ok())
}

/// The alternates in an order that is new each time (H32-02): endpoints that keep one of them spread.
fn list<'s>(
    known: &'s [Alternate],
    places: &mut [AlternateGk<'s>; ALTERNATES_MAX],
    drawn: &mut u64,
    seed: u64,
) -> usize {
    let count = known.len().min(ALTERNATES_MAX);
    for (place, alternate) in places.iter_mut().zip(known) {
        *place = AlternateGk {
            ras_address: alternate.ras_address.into(),
            gatekeeper_identifier: Some(GatekeeperIdentifier::from(&*alternate.identifier)),
            need_to_register: true,
            priority: Number(1),
        };
    }
    for last in (1..count).rev() {
        let choices = u64::try_from(last + 1).unwrap_or(1);
        let other = usize::try_from(draw(drawn, seed) % choices).unwrap_or(0);
        places.swap(last, other);
    }
    count
}

/// Whom to turn to instead; nothing where there is nobody.
fn instead<'l>(alternates: &'l [AlternateGk<'l>]) -> Option<AltGkInfo<'l>> {
    let info = AltGkInfo {
        alternate_gatekeeper: alternates.into(),
        alt_gk_is_permanent: false,
    };
    (!alternates.is_empty()).then_some(info)
}

fn draw(drawn: &mut u64, seed: u64) -> u64 {
    *drawn += 1;
    let mut hasher = SipHasher13::new_with_keys(seed, 1);
    hasher.write_u64(*drawn);
    hasher.finish()
}

fn is_called(identifier: GatekeeperIdentifier<'_>, name: &str) -> bool {
    identifier == *name
}

/// An alias as a name among all others; none of what is no name of an endpoint.
fn name(alias: &AliasAddress<'_>) -> Option<String> {
    match alias {
        AliasAddress::DialledDigits(digits) => Some(digits.to_string()),
        AliasAddress::H323Id(text) => Some(text.to_string().to_lowercase()),
        AliasAddress::UrlId(text) | AliasAddress::EmailId(text) => Some(text.0.to_lowercase()),
        AliasAddress::PartyNumber(_) | AliasAddress::TransportId(_) | AliasAddress::Other(_) => {
            None
        }
    }
}

#[cfg(test)]
mod tests;
