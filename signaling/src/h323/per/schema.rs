//! SEQUENCE and CHOICE as tables that read like the specification. From one table a type gets its
//! fields, its reader and its writer.
//!
//! ```text
//! sequence! {
//!     /// What it is.
//!     BandwidthConfirm<'a> {
//!         needs request_seq_num: SequenceNumber,
//!         may non_standard_data: NonStandardParameter<'a>,      OPTIONAL
//!     } additions 6 {                                           after "...": how many are defined
//!         3 capacity: CallCapacity<'a>,                         and those that are known here
//!     }
//! }
//! ```

use super::Writer;

/// A SEQUENCE. Without `additions` it has no extension marker. All fields of a `default()` are zero or
/// absent: something to fill in.
macro_rules! sequence {
    (
        $(#[$doc:meta])*
        $name:ident $(<$life:lifetime>)? {
            $($need:ident $field:ident : $type:ty,)*
        } $(additions $count:literal {
            $($number:literal $addition:ident : $addition_type:ty,)*
        })?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name $(<$life>)? {
            $(
                #[doc = concat!("`", stringify!($field), "`.")]
                pub $field: $crate::h323::per::sequence!(@type $need $type),
            )*
            $($(
                #[doc = concat!("`", stringify!($addition), "`, an addition.")]
                pub $addition: Option<$addition_type>,
            )*)?
        }

        impl<'a> $crate::h323::per::Value<'a> for $name $(<$life>)? {
            #[inline]
            fn read(
                reader: &mut $crate::h323::per::Reader<'a>,
            ) -> Result<Self, $crate::h323::per::Fault> {
                $(
                    let _: u32 = $count;
                    let extended = reader.bit()?;
                )?
                $(let $field = $crate::h323::per::sequence!(@announced $need reader);)*
                $(let $field = $crate::h323::per::sequence!(@read $need $type, reader, $field);)*
                $(
                    let _: u32 = $count;
                    #[allow(unused_mut, reason = "a sequence may have no addition that is known")]
                    let mut additions = if extended {
                        reader.additions()?
                    } else {
                        $crate::h323::per::Additions::NONE
                    };
                    $(let $addition = additions.take(reader, $number)?;)*
                    additions.finish(reader)?;
                )?
                Ok(Self { $($field,)* $($($addition,)*)? })
            }

            #[inline]
            fn write(&self, writer: &mut $crate::h323::per::Writer<'_>) {
                $(
                    let additions = 0_u64
                        $(| u64::from(self.$addition.is_some()) << (63 - $number))*;
                    let _: u32 = $count;
                    writer.bit(additions != 0);
                )?
                $($crate::h323::per::sequence!(@announce $need self.$field, writer);)*
                $($crate::h323::per::sequence!(@write $need self.$field, writer);)*
                $(
                    if additions != 0 {
                        writer.additions(additions, $count);
                        $(if let Some(addition) = &self.$addition {
                            writer.open(|writer| {
                                $crate::h323::per::Value::write(addition, writer);
                            });
                        })*
                    }
                )?
            }
        }
    };
    (@type needs $type:ty) => { $type };
    (@type may $type:ty) => { Option<$type> };
    (@announced needs $reader:ident) => { true };
    (@announced may $reader:ident) => { $reader.bit()? };
    (@read needs $type:ty, $reader:ident, $announced:ident) => {{
        debug_assert!($announced, "always there");
        <$type as $crate::h323::per::Value<'_>>::read($reader)?
    }};
    (@read may $type:ty, $reader:ident, $announced:ident) => {
        if $announced {
            Some(<$type as $crate::h323::per::Value<'_>>::read($reader)?)
        } else {
            None
        }
    };
    (@announce needs $value:expr, $writer:ident) => {};
    (@announce may $value:expr, $writer:ident) => { $writer.bit($value.is_some()); };
    (@write needs $value:expr, $writer:ident) => {
        $crate::h323::per::Value::write(&$value, $writer);
    };
    (@write may $value:expr, $writer:ident) => {
        if let Some(value) = &$value {
            $crate::h323::per::Value::write(value, $writer);
        }
    };
}

/// A CHOICE with an extension marker: `root COUNT` alternatives by number, then those that were added.
/// An addition that is not known here keeps its bytes. The default is the first alternative.
macro_rules! choice {
    (
        $(#[$doc:meta])*
        $name:ident<$life:lifetime> {
            root $count:literal {
                $($number:literal $variant:ident $(($type:ty))?,)*
            }
            additions {
                $($addition_number:literal $addition:ident $(($addition_type:ty))?,)*
            }
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(clippy::large_enum_variant, reason = "boxes would be allocations")]
        pub enum $name<$life> {
            $(
                #[doc = concat!("Alternative ", stringify!($number), ".")]
                $variant $(($type))?,
            )*
            $(
                #[doc = concat!("Addition ", stringify!($addition_number), ".")]
                $addition $(($addition_type))?,
            )*
            /// An addition that is not known here.
            Other($crate::h323::per::Other<$life>),
        }

        impl<$life> Default for $name<$life> {
            fn default() -> Self {
                match 0_u32 {
                    $($number => Self::$variant $((<$type>::default()))?,)*
                    _ => Self::Other($crate::h323::per::Other::default()),
                }
            }
        }

        impl<$life> $crate::h323::per::Value<$life> for $name<$life> {
            #[inline]
            fn read(
                reader: &mut $crate::h323::per::Reader<$life>,
            ) -> Result<Self, $crate::h323::per::Fault> {
                if !reader.bit()? {
                    return match reader.bits($crate::h323::per::width_of_choice($count))? {
                        $($number => Ok(Self::$variant $(
                            (<$type as $crate::h323::per::Value<'_>>::read(reader)?)
                        )?),)*
                        _ => Err($crate::h323::per::Fault::Alternative),
                    };
                }
                let number = reader.mostly_small()?;
                #[allow(unused_mut, reason = "a choice may have no addition that is known")]
                let mut inner = reader.open()?;
                #[allow(unused_variables, reason = "and is then never read to its end")]
                let value = match number {
                    $($addition_number => Self::$addition $(
                        (<$addition_type as $crate::h323::per::Value<'_>>::read(&mut inner)?)
                    )?,)*
                    _ => {
                        let bytes = inner.bytes();
                        return Ok(Self::Other($crate::h323::per::Other { number, bytes }));
                    }
                };
                #[allow(unreachable_code, reason = "the same")]
                {
                    inner.end()?;
                    Ok(value)
                }
            }

            #[inline]
            fn write(&self, writer: &mut $crate::h323::per::Writer<'_>) {
                let width = $crate::h323::per::width_of_choice($count);
                match self {
                    $(Self::$variant $(
                        ($crate::h323::per::choice!(@bind $type, value))
                    )? => {
                        writer.bits($number, width + 1);
                        $(<$type as $crate::h323::per::Value<'_>>::write(value, writer);)?
                    })*
                    $(Self::$addition $(
                        ($crate::h323::per::choice!(@bind $addition_type, value))
                    )? => {
                        writer.bit(true);
                        writer.mostly_small($addition_number);
                        writer.open(|_writer| {
                            $(<$addition_type as $crate::h323::per::Value<'_>>::write(
                                value, _writer,
                            );)?
                        });
                    })*
                    Self::Other(other) => other.write(writer),
                }
            }
        }
    };
    (@bind $type:ty, $value:ident) => { $value };
}

/// An alternative that was added after this was written, as it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Other<'a> {
    /// Its number among the additions.
    pub number: u32,
    /// What its open type holds.
    pub bytes: &'a [u8],
}

impl Other<'_> {
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.bit(true);
        writer.mostly_small(self.number);
        writer.open(|writer| writer.octets(self.bytes));
    }
}

/// The bits that name one of so many alternatives.
pub(crate) const fn width_of_choice(count: u32) -> u32 {
    u32::BITS - (count - 1).leading_zeros()
}

pub(crate) use {choice, sequence};
