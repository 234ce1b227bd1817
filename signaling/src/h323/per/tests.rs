//! The cursor by itself: each primitive with the bytes that X.691 gives it.

use super::{
    Bits, Bmp, Digits, Fault, Ia5, Integer, List, Number, Octets, Oid, Reader, Unwritable, Value,
    Writer,
};
use std::fmt::Debug;

/// Writes a value behind a number of bits, reads it back, and gives the bytes.
fn through<'b, T: for<'a> Value<'a> + PartialEq + Debug>(
    value: T,
    bits_before: u32,
    buffer: &'b mut [u8],
) -> &'b [u8] {
    buffer.fill(0xff);
    let mut writer = Writer::new(buffer);
    writer.bits(0, bits_before);
    value.write(&mut writer);
    writer.bit(true);
    let length = writer.finish().unwrap();
    let bytes = &buffer[..length];
    let mut reader = Reader::new(bytes).unwrap();
    assert_eq!(reader.bits(bits_before), Ok(0));
    assert_eq!(T::read(&mut reader), Ok(value));
    // What comes next is where it was put.
    assert_eq!(reader.bit(), Ok(true));
    assert_eq!(reader.end(), Ok(()));
    bytes
}

#[test]
fn numbers_of_each_class() {
    let buffer = &mut [0; 16];
    assert_eq!(through(Number::<5, 5>(5), 0, buffer), [0x80]);
    assert_eq!(through(Number::<0, 1>(1), 0, buffer), [0xc0]);
    assert_eq!(through(Number::<0, 127>(64), 1, buffer), [0x40, 0x80]);
    // A range of 255 is a field of bits, one of 256 an octet on a border.
    assert_eq!(through(Number::<1, 255>(255), 1, buffer), [0x7f, 0x40]);
    assert_eq!(through(Number::<0, 255>(255), 1, buffer), [0, 0xff, 0x80]);
    assert_eq!(through(Number::<1, 256>(256), 0, buffer), [0xff, 0x80]);
    assert_eq!(through(Number::<0, 256>(256), 0, buffer), [1, 0, 0x80]);
    assert_eq!(
        through(Number::<1, 65_535>(65_535), 0, buffer),
        [0xff, 0xfe, 0x80]
    );
    assert_eq!(
        through(Number::<0, 65_536>(256), 0, buffer),
        [0x40, 1, 0, 0x80]
    );
    type Wide = Number<0, 0xffff_ffff>;
    assert_eq!(through(Wide::default(), 0, buffer), [0, 0, 0x80]);
    assert_eq!(
        through(Number::<0, 0xffff_ffff>(0xffff), 2, buffer),
        [0x10, 0xff, 0xff, 0x80]
    );
    assert_eq!(
        through(Number::<1, 0xffff_ffff>(60), 0, buffer),
        [0, 0x3b, 0x80]
    );
    let most = through(Number::<0, 0xffff_ffff>(u32::MAX), 0, buffer);
    assert_eq!(most, [0xc0, 0xff, 0xff, 0xff, 0xff, 0x80]);
}

#[test]
fn numbers_out_of_range_are_faults() {
    let read = |bytes: &[u8]| Number::<1, 100>::read(&mut Reader::new(bytes).unwrap());
    assert_eq!(read(&[0b1100_0110]), Ok(Number(100)));
    assert_eq!(read(&[0b1100_1000]), Err(Fault::Number));
    assert_eq!(read(&[]), Err(Fault::Short));
    let read = |bytes: &[u8]| Number::<0, 0x1_0000>::read(&mut Reader::new(bytes).unwrap());
    assert_eq!(read(&[0x80, 1, 0, 1]), Err(Fault::Number));
    // Zeros in front are taken.
    assert_eq!(read(&[0x80, 0, 0, 7]), Ok(Number(7)));
    let mut buffer = [0; 4];
    for number in [0, 101] {
        let mut writer = Writer::new(&mut buffer);
        Number::<1, 100>(number).write(&mut writer);
        assert_eq!(writer.finish(), Err(Unwritable::OutOfRange));
    }
}

#[test]
fn integers_in_the_fewest_octets() {
    let buffer = &mut [0; 16];
    assert_eq!(through(Integer(0), 3, buffer), [0, 1, 0, 0x80]);
    assert_eq!(through(Integer(-1), 0, buffer), [1, 0xff, 0x80]);
    assert_eq!(through(Integer(127), 0, buffer), [1, 0x7f, 0x80]);
    assert_eq!(through(Integer(128), 0, buffer), [2, 0, 0x80, 0x80]);
    assert_eq!(through(Integer(-129), 0, buffer), [2, 0xff, 0x7f, 0x80]);
    for number in [i64::MIN, i64::MAX, i64::MIN + 1, 1 << 31] {
        through(Integer(number), 0, buffer);
    }
    for bytes in [&[0][..], &[9, 0, 0, 0, 0, 0, 0, 0, 0, 1]] {
        let mut reader = Reader::new(bytes).unwrap();
        assert_eq!(Integer::read(&mut reader), Err(Fault::Number));
    }
}

/// Values that borrow: read from bytes that live long enough.
#[test]
fn strings() {
    let check = |expected: &[u8], write: &dyn Fn(&mut Writer<'_>)| {
        let mut buffer = [0xff; 64];
        let mut writer = Writer::new(&mut buffer);
        write(&mut writer);
        let length = writer.finish().unwrap();
        assert_eq!(&buffer[..length], expected);
    };
    check(&[6, 0x43, 0x34], &|writer| {
        Digits::from("1001").write(writer);
    });
    let digits = [6, 0x43, 0x34];
    let read = Digits::read(&mut Reader::new(&digits).unwrap()).unwrap();
    assert_eq!(
        (&read, read.to_string().as_str()),
        (&Digits::from("1001"), "1001")
    );
    check(&[6, 0x43, 0x34], &|writer| read.write(writer));
    // 13 characters are in the alphabet; the three last halves stand for none.
    let bad = [0, 0xd0];
    assert_eq!(
        Digits::read(&mut Reader::new(&bad).unwrap()),
        Err(Fault::Alphabet)
    );
    // What follows an odd number of digits begins in the middle of an octet.
    let odd = [0, 0x48];
    let mut reader = Reader::new(&odd).unwrap();
    assert_eq!(Digits::read(&mut reader).unwrap(), Digits::from("1"));
    assert_eq!(reader.bit(), Ok(true));

    check(&[2, 0, b'a', 0x20, 0xac], &|writer| {
        Bmp::<128>::from("a\u{20ac}").write(writer);
    });
    let pair = [2, 0xd8, 0x3d, 0xde, 0];
    let read = Bmp::<128>::read(&mut Reader::new(&pair).unwrap()).unwrap();
    assert_eq!(
        (read, read.to_string().as_str()),
        (Bmp::from("\u{1f600}"), "\u{1f600}")
    );
    let half = [0, 0xd8, 0x3d];
    let read = Bmp::<128>::read(&mut Reader::new(&half).unwrap()).unwrap();
    assert_eq!(read.to_string(), "\u{fffd}");

    check(&[0, 1, b'a', b'b'], &|writer| {
        Ia5::<1, 512>("ab").write(writer);
    });
    let high = [0, 0, 0x80];
    assert_eq!(
        Ia5::<1, 512>::read(&mut Reader::new(&high).unwrap()),
        Err(Fault::Alphabet)
    );
    check(&[0b0100_0000, 9, 8, 7], &|writer| {
        Octets::<2, 4>(&[9, 8, 7]).write(writer);
    });
}

#[test]
fn octets_of_a_fixed_size() {
    let buffer = &mut [0; 16];
    assert_eq!(through([0xa5_u8; 2], 1, buffer), [0x52, 0xd2, 0xc0]);
    assert_eq!(
        through([0xa5_u8; 3], 1, buffer),
        [0, 0xa5, 0xa5, 0xa5, 0x80]
    );
}

#[test]
fn strings_of_bits_end_between_octets() {
    let octets = [0xab, 0xff];
    let bits = Bits::<0> {
        octets: &octets,
        count: 11,
    };
    let mut buffer = [0xff; 8];
    let mut writer = Writer::new(&mut buffer);
    bits.write(&mut writer);
    writer.bit(false);
    writer.bit(true);
    let length = writer.finish().unwrap();
    assert_eq!(&buffer[..length], [11, 0xab, 0b1110_1000]);
    let mut reader = Reader::new(&buffer[..length]).unwrap();
    // The bits behind the last one are not its own.
    assert_eq!(Bits::read(&mut reader), Ok(bits));
    assert_eq!((reader.bit(), reader.bit()), (Ok(false), Ok(true)));
}

#[test]
fn object_identifiers() {
    let read = |bytes: &'static [u8]| Oid::read(&mut Reader::new(bytes).unwrap());
    let version = read(&[6, 0, 8, 0x91, 0x4a, 0, 7]).unwrap();
    assert_eq!(version.to_string(), "0.0.8.2250.0.7");
    assert_eq!(read(&[3, 0x2b, 6, 1]).unwrap().to_string(), "1.3.6.1");
    assert_eq!(read(&[2, 0x88, 0x37]).unwrap().to_string(), "2.999");
    for bad in [&[0][..], &[1, 0x80], &[2, 0x2b, 0x86], &[2, 0x80, 1]] {
        assert_eq!(read(bad), Err(Fault::ObjectIdentifier));
    }
    // As long as a datagram: parts that no number holds are shown somehow, and nothing breaks.
    let long: &[u8] = &[0xff; 40];
    assert!(!Oid::of(long).to_string().contains(' '));
}

#[test]
fn lengths_and_open_types() {
    for length in [1_usize, 127, 128, 300, 16_383] {
        let data = vec![7; length];
        let mut buffer = vec![0xff; length + 8];
        let mut writer = Writer::new(&mut buffer);
        writer.open(|writer| writer.octets(&data));
        writer.bit(true);
        let end = writer.finish().unwrap();
        let mut reader = Reader::new(&buffer[..end]).unwrap();
        let mut inner = reader.open().unwrap();
        assert_eq!(inner.octets(length), Ok(&data[..]));
        assert_eq!((inner.end(), reader.bit()), (Ok(()), Ok(true)));
    }
    let data = vec![7; 16_384];
    let mut buffer = vec![0; 20_000];
    let mut writer = Writer::new(&mut buffer);
    data.as_slice().write(&mut writer);
    assert_eq!(writer.finish(), Err(Unwritable::OutOfRange));
    // Fragments.
    assert_eq!(Reader::new(&[0xc1]).unwrap().length(), Err(Fault::Length));
    assert!(Reader::new(&vec![0; 65_536]).is_err());
    // Open in open, both with a length of two octets in the end.
    let mut buffer = [0; 400];
    let mut writer = Writer::new(&mut buffer);
    writer.open(|writer| {
        writer.octets(&[1; 120]);
        writer.open(|writer| writer.octets(&[2; 130]));
    });
    let end = writer.finish().unwrap();
    assert_eq!(end, 2 + 120 + 2 + 130);
    assert_eq!(buffer[..3], [0x80, 252, 1]);
    assert_eq!(buffer[122..125], [0x80, 130, 2]);
    // No value has no octets.
    assert!(Reader::new(&[0]).unwrap().open().is_err());
}

#[test]
fn small_numbers() {
    let round = |number: u32| {
        let mut buffer = [0xff; 8];
        let mut writer = Writer::new(&mut buffer);
        writer.mostly_small(number);
        let end = writer.finish().unwrap();
        let read = Reader::new(&buffer[..end]).unwrap().mostly_small();
        assert_eq!(read, Ok(number));
        end
    };
    assert_eq!([0, 63, 64, 255, 256, 65_535].map(round), [1, 1, 3, 3, 4, 4]);
    assert_eq!(
        Reader::new(&[0x80, 3, 1, 1, 1]).unwrap().mostly_small(),
        Err(Fault::Number)
    );
}

#[test]
fn lists_of_a_known_size() {
    let entries = [Number::<0, 3>(1), Number(2), Number(3)];
    let list: List<'_, Number<0, 3>, 16> = List::from(&entries);
    let mut buffer = [0; 8];
    let mut writer = Writer::new(&mut buffer);
    list.write(&mut writer);
    let end = writer.finish().unwrap();
    assert_eq!(&buffer[..end], [0b0010_0110, 0b1100_0000]);
    let read = List::read(&mut Reader::new(&buffer[..end]).unwrap()).unwrap();
    assert_eq!(read, list);
    assert_eq!(read.first(), Some(Number(1)));
    assert_eq!(format!("{read:?}"), format!("{entries:?}"));
    let empty: List<'_, Number<0, 3>, 16> = List::default();
    let mut writer = Writer::new(&mut buffer);
    empty.write(&mut writer);
    assert_eq!(writer.finish(), Err(Unwritable::OutOfRange));
}

#[test]
fn a_fault_has_a_place_and_a_word() {
    for (place, fault) in Fault::ALL.into_iter().enumerate() {
        assert_eq!(fault.index(), place);
        assert!(
            fault
                .reason()
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        );
    }
}
