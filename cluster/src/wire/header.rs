//! The body of an update: a header of fixed length, then entries of fixed length. Big-endian.

use super::{ENTRY, HEADER, MAC};
use crate::figure::{Figure, Key, Kind, Load};

/// The format that is written and read here.
pub(crate) const VERSION: u8 = 1;

const MAINTENANCE: u8 = 1;
const DRAINING: u8 = 2;
const FULL: u8 = 4;
const CAUGHT_UP: u8 = 8;

/// What the sender has applied of its reader's updates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The start of the reader that it knows; 0 for none.
    pub(crate) epoch: u64,
    /// The first sequence number of that start that was applied. Another one than before: what was
    /// told before it is not known any more.
    pub(crate) first: u64,
    /// The highest sequence number of that start.
    pub(crate) sequence: u64,
    /// Bit n: that number less n + 1 too.
    pub(crate) before: u64,
}

/// Everything but the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) load: Load,
    /// The reader has confirmed all that the sender used when the reader began to hear.
    pub(crate) caught_up: bool,
    pub(crate) cluster: u64,
    /// The sender's name.
    pub(crate) member: u64,
    /// The reader's name: an update for one member says nothing to another.
    pub(crate) to: u64,
    pub(crate) configuration: u64,
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
    pub(crate) heard: Heard,
    /// Entries about sessions, which come first.
    pub(crate) sessions: u16,
    /// Entries about bandwidth.
    pub(crate) bandwidth: u16,
}

/// One figure as it travels.
pub(crate) type Entry = Figure;

/// The version of a body, before anything else of it is read.
pub(crate) fn version(body: &[u8]) -> Option<u8> {
    body.first().copied()
}

impl Header {
    /// Reads a body's header.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let [_version, flags, rest @ ..] = body.first_chunk::<HEADER>()?;
        let mut rest = &rest[..];
        let sessions = u16::from_be_bytes(take(&mut rest)?);
        let bandwidth = u16::from_be_bytes(take(&mut rest)?);
        let _reserved: [u8; 2] = take(&mut rest)?;
        let mut number = || take(&mut rest).map(u64::from_be_bytes);
        let [cluster, member, to] = [number()?, number()?, number()?];
        let [configuration, epoch, sequence] = [number()?, number()?, number()?];
        let heard = Heard {
            epoch: number()?,
            first: number()?,
            sequence: number()?,
            before: number()?,
        };
        let load = Load {
            maintenance: flags & MAINTENANCE != 0,
            draining: flags & DRAINING != 0,
            full: flags & FULL != 0,
            calls_max: u32::from_be_bytes(take(&mut rest)?),
            calls: u32::from_be_bytes(take(&mut rest)?),
        };
        Some(Self {
            load,
            caught_up: flags & CAUGHT_UP != 0,
            cluster,
            member,
            to,
            configuration,
            epoch,
            sequence,
            heard,
            sessions,
            bandwidth,
        })
    }

    /// Appends it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let flag = |is: bool, flag| if is { flag } else { 0 };
        out.push(VERSION);
        out.push(
            flag(self.load.maintenance, MAINTENANCE)
                | flag(self.load.draining, DRAINING)
                | flag(self.load.full, FULL)
                | flag(self.caught_up, CAUGHT_UP),
        );
        for count in [self.sessions, self.bandwidth, 0] {
            out.extend_from_slice(&count.to_be_bytes());
        }
        let heard = self.heard;
        for number in [
            self.cluster,
            self.member,
            self.to,
            self.configuration,
            self.epoch,
            self.sequence,
            heard.epoch,
            heard.first,
            heard.sequence,
            heard.before,
        ] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        for count in [self.load.calls_max, self.load.calls] {
            out.extend_from_slice(&count.to_be_bytes());
        }
    }

    /// The octets of a body with these entries, its code among them.
    pub(crate) fn body_length(&self) -> usize {
        HEADER + (usize::from(self.sessions) + usize::from(self.bandwidth)) * ENTRY + MAC
    }

    /// The entries of a body whose length is right.
    pub(crate) fn entries<'a>(&self, body: &'a [u8]) -> impl Iterator<Item = Entry> + use<'a> {
        let sessions = usize::from(self.sessions);
        let count = sessions + usize::from(self.bandwidth);
        let octets = body.get(HEADER..).unwrap_or_default();
        let (entries, _) = octets.as_chunks::<ENTRY>();
        let numbered = entries.iter().take(count).enumerate();
        numbered.map(move |(at, [a, b, c, d, used @ ..])| Entry {
            key: Key {
                kind: if at < sessions {
                    Kind::Sessions
                } else {
                    Kind::Bandwidth
                },
                id: u32::from_be_bytes([*a, *b, *c, *d]),
            },
            used: u64::from_be_bytes(*used),
        })
    }
}

/// Appends an entry.
pub(crate) fn write_entry(out: &mut Vec<u8>, entry: Entry) {
    out.extend_from_slice(&entry.key.id.to_be_bytes());
    out.extend_from_slice(&entry.used.to_be_bytes());
}

/// The next octets of `rest`.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (octets, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers() -> impl Strategy<Value = Header> {
        let load = any::<([bool; 4], [u32; 2])>();
        let numbers = any::<[u64; 10]>();
        (load, numbers).prop_map(
            |(([maintenance, draining, full, caught_up], calls), numbers)| {
                let [
                    cluster,
                    member,
                    to,
                    configuration,
                    epoch,
                    sequence,
                    e,
                    first,
                    s,
                    before,
                ] = numbers;
                Header {
                    load: Load {
                        maintenance,
                        draining,
                        full,
                        calls_max: calls[0],
                        calls: calls[1],
                    },
                    caught_up,
                    cluster,
                    member,
                    to,
                    configuration,
                    epoch,
                    sequence,
                    heard: Heard {
                        epoch: e,
                        first,
                        sequence: s,
                        before,
                    },
                    sessions: 0,
                    bandwidth: 0,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            header in headers(),
            sessions in prop::collection::vec(any::<(u32, u64)>(), 0..40),
            bandwidth in prop::collection::vec(any::<(u32, u64)>(), 0..40),
        ) {
            let header = Header {
                sessions: u16::try_from(sessions.len()).unwrap(),
                bandwidth: u16::try_from(bandwidth.len()).unwrap(),
                ..header
            };
            let entry = |kind| move |(id, used)| Entry { key: Key { kind, id }, used };
            let entries: Vec<Entry> = sessions
                .into_iter()
                .map(entry(Kind::Sessions))
                .chain(bandwidth.into_iter().map(entry(Kind::Bandwidth)))
                .collect();
            let mut body = Vec::new();
            header.write(&mut body);
            prop_assert_eq!(body.len(), HEADER);
            for entry in &entries {
                write_entry(&mut body, *entry);
            }
            body.extend_from_slice(&[0; MAC]);
            prop_assert_eq!(version(&body), Some(VERSION));
            prop_assert_eq!(Header::read(&body), Some(header));
            prop_assert_eq!(header.body_length(), body.len());
            prop_assert_eq!(header.entries(&body).collect::<Vec<_>>(), entries);
            prop_assert_eq!(Header::read(&body[..HEADER - 1]), None);
        }
    }
}
