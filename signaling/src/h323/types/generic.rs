//! What the standard leaves open: non-standard parameters, and the generic data of H.460.

use super::{AliasAddress, TransportAddress};
use crate::h323::per::{
    Bmp, Fault, Ia5, Integer, List, Number, Oid, Reader, Value, Writer, choice, sequence,
};

sequence! {
    /// NonStandardParameter.
    NonStandardParameter<'a> {
        needs non_standard_identifier: NonStandardIdentifier<'a>,
        needs data: &'a [u8],
    }
}

choice! {
    /// NonStandardIdentifier.
    NonStandardIdentifier<'a> {
        root 2 {
            0 Object(Oid<'a>),
            1 H221NonStandard(H221NonStandard),
        }
        additions {}
    }
}

sequence! {
    /// H221NonStandard.
    H221NonStandard {
        needs t35_country_code: Number<0, 255>,
        needs t35_extension: Number<0, 255>,
        needs manufacturer_code: Number<0, 0xffff>,
    } additions 0 {}
}

sequence! {
    /// GenericData; FeatureDescriptor is the same.
    GenericData<'a> {
        needs id: GenericIdentifier<'a>,
        may parameters: List<'a, EnumeratedParameter<'a>, 512>,
    } additions 0 {}
}

sequence! {
    /// FeatureSet.
    FeatureSet<'a> {
        needs replacement_feature_set: bool,
        may needed_features: List<'a, GenericData<'a>>,
        may desired_features: List<'a, GenericData<'a>>,
        may supported_features: List<'a, GenericData<'a>>,
    } additions 0 {}
}

choice! {
    /// GenericIdentifier.
    GenericIdentifier<'a> {
        root 3 {
            0 Standard(StandardIdentifier),
            1 Oid(Oid<'a>),
            2 NonStandard([u8; 16]),
        }
        additions {}
    }
}

/// INTEGER (0..16383, ...): the number of a standard of the H.460 series, or of a parameter in one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StandardIdentifier(pub u32);

const STANDARD_MAX: u32 = 16_383;

impl Value<'_> for StandardIdentifier {
    // X.691 §13.1: a bit says whether the number is beyond the root of its constraint.
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        if !reader.bit()? {
            return reader.number(0, STANDARD_MAX).map(Self);
        }
        let Integer(number) = Integer::read(reader)?;
        let number = u32::try_from(number).map_err(|_| Fault::Number)?;
        Ok(Self(number))
    }

    fn write(&self, writer: &mut Writer<'_>) {
        let is_beyond = self.0 > STANDARD_MAX;
        writer.bit(is_beyond);
        if is_beyond {
            Integer(self.0.into()).write(writer);
        } else {
            writer.number(self.0, 0, STANDARD_MAX);
        }
    }
}

sequence! {
    /// EnumeratedParameter.
    EnumeratedParameter<'a> {
        needs id: GenericIdentifier<'a>,
        may content: Content<'a>,
    } additions 0 {}
}

choice! {
    /// Content.
    Content<'a> {
        root 12 {
            0 Raw(&'a [u8]),
            1 Text(Ia5<'a, 0, 0>),
            2 Unicode(Bmp<'a, 0>),
            3 Bool(bool),
            4 Number8(Number<0, 255>),
            5 Number16(Number<0, 0xffff>),
            6 Number32(Number<0, 0xffff_ffff>),
            7 Id(GenericIdentifier<'a>),
            8 Alias(AliasAddress<'a>),
            9 Transport(TransportAddress<'a>),
            10 Compound(Inner<List<'a, EnumeratedParameter<'a>, 512>>),
            11 Nested(Inner<List<'a, GenericData<'a>, 16>>),
        }
        additions {}
    }
}

/// What may hold its like: only so deep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inner<T>(pub T);

impl<'a, T: Value<'a>> Value<'a> for Inner<T> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        reader.deeper(T::read).map(Self)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        self.0.write(writer);
    }
}
