//! RRQ (H.225.0 §7.9) in its three kinds, and URQ (§7.10).

use super::directory::{ALIASES_MAX, EndpointKey, Wish};
use super::{ALTERNATES_MAX, Conflict, Gatekeeper, instead, is_called, list, name, write};
use crate::h323::per::{List, Number};
use crate::h323::ras::{
    Message, RegistrationConfirm, RegistrationReject, RegistrationRejectReason,
    RegistrationRequest, UnregRejectReason, UnregistrationConfirm, UnregistrationReject,
    UnregistrationRequest, VERSION_7,
};
use crate::h323::types::{AliasAddress, AlternateGk, EndpointIdentifier, TransportAddress};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Why an endpoint is not registered.
#[derive(Clone, Copy, Debug)]
enum Refusal<'a> {
    /// It is for another gatekeeper.
    DiscoveryRequired,
    /// Somebody else has this alias.
    DuplicateAlias(AliasAddress<'a>),
    /// It is not known: a keepAlive or an addition is not enough.
    FullRegistrationRequired,
    /// It names no address for calls that can be called.
    InvalidCallSignalAddress,
    /// There is no room, for endpoints or for aliases of one, or it is maintained.
    ResourceUnavailable,
}

impl Gatekeeper {
    pub(super) fn handle_registration(
        &mut self,
        now: Instant,
        from: SocketAddr,
        request: &RegistrationRequest<'_>,
        room: usize,
    ) {
        let verdict = self.register(now, from, request);
        let mut places = [AlternateGk::default(); ALTERNATES_MAX];
        let count = list(
            &self.alternates,
            &mut places,
            &mut self.drawn,
            self.settings.seed,
        );
        let alternates = places.get(..count).unwrap_or_default();
        let own = Some((&*self.settings.identifier).into());
        let length = match verdict {
            Ok((key, time_to_live)) => {
                self.tally.registered += 1;
                let identifier = identifier(key);
                let call_signal = [self.settings.call_signal_address.into()];
                let seconds = u32::try_from(time_to_live.as_secs()).unwrap_or(u32::MAX);
                let confirm = RegistrationConfirm {
                    request_seq_num: request.request_seq_num,
                    protocol_identifier: VERSION_7,
                    call_signal_address: (&call_signal).into(),
                    gatekeeper_identifier: own,
                    endpoint_identifier: EndpointIdentifier::from(&*identifier),
                    time_to_live: Some(Number(seconds.max(1))),
                    will_respond_to_irr: Some(false),
                    maintain_connection: Some(false),
                    supports_additive_registration: Some(()),
                    ..RegistrationConfirm::default()
                };
                let all = RegistrationConfirm {
                    alternate_gatekeeper: (count > 0).then(|| List::from(alternates)),
                    ..confirm
                };
                let messages = [all, confirm].map(Message::RegistrationConfirm);
                write(&mut self.buffer, room, messages)
            }
            Err(refusal) => {
                self.tally.refused += 1;
                let duplicates = match refusal {
                    Refusal::DuplicateAlias(alias) => [alias],
                    Refusal::DiscoveryRequired
                    | Refusal::FullRegistrationRequired
                    | Refusal::InvalidCallSignalAddress
                    | Refusal::ResourceUnavailable => [AliasAddress::default()],
                };
                let is_full = matches!(refusal, Refusal::ResourceUnavailable);
                let reject = RegistrationReject {
                    request_seq_num: request.request_seq_num,
                    protocol_identifier: VERSION_7,
                    reject_reason: refusal.reason(&duplicates),
                    gatekeeper_identifier: own,
                    ..RegistrationReject::default()
                };
                let all = RegistrationReject {
                    alt_gk_info: instead(alternates).filter(|_| is_full),
                    ..reject
                };
                write(
                    &mut self.buffer,
                    room,
                    [all, reject].map(Message::RegistrationReject),
                )
            }
        };
        self.answer = length.map(|length| (from, length));
    }

    fn register<'a>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        request: &RegistrationRequest<'a>,
    ) -> Result<(EndpointKey, Duration), Refusal<'a>> {
        let wanted = request.gatekeeper_identifier;
        if wanted.is_some_and(|wanted| !is_called(wanted, &self.settings.identifier)) {
            return Err(Refusal::DiscoveryRequired);
        }
        let time_to_live = request
            .time_to_live
            .map(|seconds| Duration::from_secs(seconds.0.into()));
        let time_to_live = time_to_live.map(|asked| asked.min(self.settings.time_to_live));
        let known = request.endpoint_identifier.and_then(key);
        let known = known.filter(|key| {
            let endpoint = self.directory.endpoint(*key);
            // Nobody else refreshes or extends a registration.
            endpoint.is_some_and(|endpoint| endpoint.source == from)
        });
        if request.keep_alive.unwrap_or_default() {
            let refreshed =
                known.and_then(|key| Some((key, self.directory.refresh(key, time_to_live, now)?)));
            return refreshed.ok_or(Refusal::FullRegistrationRequired);
        }
        let is_addition = request.additive_registration.is_some();
        let old = known.and_then(|key| self.directory.endpoint(key).cloned());
        if is_addition && old.is_none() {
            return Err(Refusal::FullRegistrationRequired);
        }
        let old = old.filter(|_| is_addition);
        let call_signal_address = match &old {
            Some(old) => old.call_signal_address,
            None => {
                callable(request.call_signal_address).ok_or(Refusal::InvalidCallSignalAddress)?
            }
        };
        let mut aliases = old.map(|old| old.aliases).unwrap_or_default();
        for alias in request.terminal_alias.unwrap_or_default() {
            aliases.extend(name(&alias).filter(|name| !aliases.contains(name)));
            if aliases.len() > ALIASES_MAX {
                return Err(Refusal::ResourceUnavailable);
            }
        }
        let wish = Wish {
            source: from,
            call_signal_address,
            aliases,
            time_to_live: time_to_live.unwrap_or(self.settings.time_to_live),
        };
        self.enter(now, request, wish)
    }

    /// Puts a registration in that is complete.
    fn enter<'a>(
        &mut self,
        now: Instant,
        request: &RegistrationRequest<'a>,
        wish: Wish,
    ) -> Result<(EndpointKey, Duration), Refusal<'a>> {
        // Who is at the same address for calls is the same endpoint, also after a restart.
        let same = self.directory.at(wish.call_signal_address);
        let taken: Vec<(String, EndpointKey)> = self
            .directory
            .taken(&wish.aliases, same)
            .map(|(alias, holder)| (alias.clone(), holder))
            .collect();
        if let (Some((first, _)), Conflict::Reject) = (taken.first(), self.settings.conflict) {
            let mut aliases = request.terminal_alias.unwrap_or_default().iter();
            let duplicate = aliases.find(|alias| name(alias).as_ref() == Some(first));
            return Err(duplicate.map_or(Refusal::ResourceUnavailable, Refusal::DuplicateAlias));
        }
        let is_full = self.directory.len() >= self.settings.registrations_max;
        if same.is_none() && (is_full || self.is_closed) {
            return Err(Refusal::ResourceUnavailable);
        }
        for (_, holder) in taken {
            self.directory.remove(holder);
        }
        let key = same.unwrap_or_else(|| EndpointKey(self.draw()));
        let time_to_live = wish.time_to_live;
        self.directory.put(key, wish, now);
        Ok((key, time_to_live))
    }

    pub(super) fn handle_leaving(&mut self, from: SocketAddr, request: &UnregistrationRequest<'_>) {
        let by_identifier = request.endpoint_identifier.and_then(key);
        let by_address = || {
            let address = callable(request.call_signal_address)?;
            self.directory.at(address)
        };
        let leaves = by_identifier.or_else(by_address).filter(|key| {
            let endpoint = self.directory.endpoint(*key);
            endpoint.is_some_and(|endpoint| endpoint.source == from)
        });
        let request_seq_num = request.request_seq_num;
        let message = match leaves.and_then(|key| self.directory.remove(key)) {
            Some(_) => Message::UnregistrationConfirm(UnregistrationConfirm {
                request_seq_num,
                ..UnregistrationConfirm::default()
            }),
            None => Message::UnregistrationReject(UnregistrationReject {
                request_seq_num,
                reject_reason: UnregRejectReason::NotCurrentlyRegistered,
                ..UnregistrationReject::default()
            }),
        };
        self.put(from, message);
    }
}

impl<'a> Refusal<'a> {
    fn reason(self, duplicates: &'a [AliasAddress<'a>; 1]) -> RegistrationRejectReason<'a> {
        match self {
            Self::DiscoveryRequired => RegistrationRejectReason::DiscoveryRequired,
            Self::DuplicateAlias(_) => RegistrationRejectReason::DuplicateAlias(duplicates.into()),
            Self::FullRegistrationRequired => RegistrationRejectReason::FullRegistrationRequired,
            Self::InvalidCallSignalAddress => RegistrationRejectReason::InvalidCallSignalAddress,
            Self::ResourceUnavailable => RegistrationRejectReason::ResourceUnavailable,
        }
    }
}

/// The first address that can be called.
fn callable(addresses: List<'_, TransportAddress<'_>>) -> Option<SocketAddr> {
    let mut addresses = addresses
        .iter()
        .filter_map(|address| address.socket_address());
    addresses.find(|address| !address.ip().is_unspecified() && address.port() != 0)
}

/// An endpoint's name on the wire.
fn identifier(key: EndpointKey) -> String {
    format!("{:016x}", key.0)
}

/// The endpoint that has this name on the wire, if it is one of ours.
fn key(identifier: EndpointIdentifier<'_>) -> Option<EndpointKey> {
    let mut digits = identifier.chars();
    let number = digits.by_ref().take(16).try_fold(0_u64, |number, digit| {
        Some(number << 4 | u64::from(digit.to_digit(16)?))
    })?;
    let key = EndpointKey(number);
    (identifier == *self::identifier(key)).then_some(key)
}
