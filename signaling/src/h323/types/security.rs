//! Tokens and checks of H.235.0: read as they are, judged elsewhere.

use super::{AliasAddress, GatekeeperIdentifier};
use crate::h323::per::{
    Bits, Bmp, Fault, Integer, Number, Octets, Oid, Reader, Value, Writer, choice, sequence,
};

/// Identifier.
pub type Identifier<'a> = Bmp<'a, 128>;
/// TimeStamp, in seconds since 1970.
pub type TimeStamp = Number<1, 0xffff_ffff>;

sequence! {
    /// ICV.
    Icv<'a> {
        needs algorithm_oid: Oid<'a>,
        needs icv: Bits<'a>,
    }
}

sequence! {
    /// ClearToken.
    ClearToken<'a> {
        needs token_oid: Oid<'a>,
        may time_stamp: TimeStamp,
        may password: Bmp<'a, 128>,
        may dhkey: DhSet<'a>,
        may challenge: Octets<'a, 8, 128>,
        may random: Integer,
        may certificate: TypedCertificate<'a>,
        may general_id: Identifier<'a>,
        may non_standard: NonStandardToken<'a>,
    } additions 4 {
        1 senders_id: Identifier<'a>,
    }
}

sequence! {
    /// NonStandardParameter of H.235.0, which is another than that of H.225.0.
    NonStandardToken<'a> {
        needs non_standard_identifier: Oid<'a>,
        needs data: &'a [u8],
    }
}

sequence! {
    /// DHset.
    DhSet<'a> {
        needs halfkey: Bits<'a, 2048>,
        needs mod_size: Bits<'a, 2048>,
        needs generator: Bits<'a, 2048>,
    } additions 0 {}
}

sequence! {
    /// TypedCertificate.
    TypedCertificate<'a> {
        needs r#type: Oid<'a>,
        needs certificate: &'a [u8],
    } additions 0 {}
}

sequence! {
    /// Params.
    Params<'a> {
        may ran_int: Integer,
        may iv8: [u8; 8],
    } additions 3 {
        0 iv16: [u8; 16],
        1 iv: &'a [u8],
        2 clear_salt: &'a [u8],
    }
}

sequence! {
    /// HASHED of a [`ClearToken`] or of a password: its hash lies where it lies in the datagram.
    Hashed<'a> {
        needs algorithm_oid: Oid<'a>,
        needs params: Params<'a>,
        needs hash: Bits<'a>,
    }
}

sequence! {
    /// ENCRYPTED.
    Encrypted<'a> {
        needs algorithm_oid: Oid<'a>,
        needs params: Params<'a>,
        needs encrypted_data: &'a [u8],
    }
}

sequence! {
    /// SIGNED.
    Signed<'a> {
        needs to_be_signed: Opened<'a>,
        needs algorithm_oid: Oid<'a>,
        needs params: Params<'a>,
        needs signature: Bits<'a>,
    }
}

/// A value in its open type that nobody looks into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Opened<'a>(pub &'a [u8]);

impl<'a> Value<'a> for Opened<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        reader.open().map(|inner| Self(inner.bytes()))
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.open(|writer| writer.octets(self.0));
    }
}

choice! {
    /// CryptoH323Token.
    CryptoH323Token<'a> {
        root 8 {
            0 CryptoEpPwdHash(CryptoEpPwdHash<'a>),
            1 CryptoGkPwdHash(CryptoGkPwdHash<'a>),
            2 CryptoEpPwdEncr(Encrypted<'a>),
            3 CryptoGkPwdEncr(Encrypted<'a>),
            4 CryptoEpCert(Signed<'a>),
            5 CryptoGkCert(Signed<'a>),
            6 CryptoFastStart(Signed<'a>),
            7 NestedCryptoToken(CryptoToken<'a>),
        }
        additions {}
    }
}

sequence! {
    /// A hash over an endpoint's password.
    CryptoEpPwdHash<'a> {
        needs alias: AliasAddress<'a>,
        needs time_stamp: TimeStamp,
        needs token: Hashed<'a>,
    }
}

sequence! {
    /// A hash over a gatekeeper's password.
    CryptoGkPwdHash<'a> {
        needs gatekeeper_id: GatekeeperIdentifier<'a>,
        needs time_stamp: TimeStamp,
        needs token: Hashed<'a>,
    }
}

choice! {
    /// CryptoToken.
    CryptoToken<'a> {
        root 4 {
            0 CryptoEncryptedToken(EncryptedToken<'a>),
            1 CryptoSignedToken(SignedToken<'a>),
            2 CryptoHashedToken(HashedToken<'a>),
            3 CryptoPwdEncr(Encrypted<'a>),
        }
        additions {}
    }
}

sequence! {
    /// A token that was encrypted.
    EncryptedToken<'a> {
        needs token_oid: Oid<'a>,
        needs token: Encrypted<'a>,
    }
}

sequence! {
    /// A token that was signed.
    SignedToken<'a> {
        needs token_oid: Oid<'a>,
        needs token: Signed<'a>,
    }
}

sequence! {
    /// A token with a hash over the whole message: H.235.1.
    HashedToken<'a> {
        needs token_oid: Oid<'a>,
        needs hashed_vals: ClearToken<'a>,
        needs token: Hashed<'a>,
    }
}

choice! {
    /// SecurityErrors; SecurityErrors2 is its first six.
    SecurityErrors<'a> {
        root 16 {
            0 SecurityWrongSyncTime,
            1 SecurityReplay,
            2 SecurityWrongGeneralId,
            3 SecurityWrongSendersId,
            4 SecurityIntegrityFailed,
            5 SecurityWrongOid,
            6 SecurityDhMismatch,
            7 SecurityCertificateExpired,
            8 SecurityCertificateDateInvalid,
            9 SecurityCertificateRevoked,
            10 SecurityCertificateNotReadable,
            11 SecurityCertificateSignatureInvalid,
            12 SecurityCertificateMissing,
            13 SecurityCertificateIncomplete,
            14 SecurityUnsupportedCertificateAlgOid,
            15 SecurityUnknownCa,
        }
        additions {}
    }
}

choice! {
    /// SecurityErrors2.
    SecurityErrors2<'a> {
        root 6 {
            0 SecurityWrongSyncTime,
            1 SecurityReplay,
            2 SecurityWrongGeneralId,
            3 SecurityWrongSendersId,
            4 SecurityIntegrityFailed,
            5 SecurityWrongOid,
        }
        additions {}
    }
}
