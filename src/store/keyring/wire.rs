//! D-Bus's wire format, with the few types that the Secret Service needs (D-Bus specification, "Marshaling").
//!
//! Everything that is read is untrusted. Each length is checked against the bytes that are there, and malformed input
//! gives `None`; it never panics and never allocates more than the message holds.

use zeroize::Zeroizing;

/// The largest message that is accepted. Ours, and the replies to them, are much smaller.
const MAX_MESSAGE_SIZE: usize = 1 << 20;
/// The length of the fixed part of the header, up to and including the length of the header fields.
pub(super) const FIXED_HEADER_LEN: usize = 16;
const ENDIAN: u8 = if cfg!(target_endian = "big") { b'B' } else { b'l' };
const VERSION: u8 = 1;

/// Message types.
const CALL: u8 = 1;
const RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

/// Header field codes.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// A method call.
#[derive(Debug)]
pub(super) struct MethodCall<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
    pub(super) signature: &'a str,
    pub(super) body: WireWriter,
}

/// Encodes values one after the other, in the machine's own byte order: both ends are on one machine. Wiped on drop,
/// because it can hold the key.
pub(super) struct WireWriter(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for WireWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WireWriter({} bytes)", self.0.len())
    }
}

impl WireWriter {
    pub(super) fn new() -> Self {
        // Large enough for each of our calls: growing the buffer would leave an unwiped copy of the key behind.
        Self(Zeroizing::new(Vec::with_capacity(1024)))
    }

    pub(super) fn byte(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self = self.align_to(4);
        self.0.extend_from_slice(&value.to_ne_bytes());
        self
    }

    pub(super) fn boolean(self, value: bool) -> Self {
        self.u32(value.into())
    }

    pub(super) fn string(self, value: &str) -> Self {
        self.byte_array(value.as_bytes()).byte(0)
    }

    /// An array of bytes.
    pub(super) fn byte_array(mut self, value: &[u8]) -> Self {
        self = self.u32(wire_length(value.len()));
        self.0.extend_from_slice(value);
        self
    }

    pub(super) fn signature(mut self, value: &str) -> Self {
        self = self.byte(u8::try_from(value.len()).expect("our signatures are short"));
        self.0.extend_from_slice(value.as_bytes());
        self.byte(0)
    }

    /// Aligns for a structure or a dictionary entry.
    pub(super) fn begin_struct(self) -> Self {
        self.align_to(8)
    }

    /// An array of structures or dictionary entries. Its length is written last, and does not count the padding before
    /// the first element.
    pub(super) fn struct_array(mut self, write: impl FnOnce(Self) -> Self) -> Self {
        self = self.u32(0);
        let place = self.0.len() - 4;
        self = self.align_to(8);
        let begin = self.0.len();
        self = write(self);
        let written = wire_length(self.0.len() - begin).to_ne_bytes();
        self.0.iter_mut().skip(place).zip(written).for_each(|(at, byte)| *at = byte);
        self
    }

    /// An array of strings or object paths.
    pub(super) fn string_array(self, values: &[&str]) -> Self {
        // Elements and array have the same alignment (4), so the elements can be encoded separately.
        let elements = values.iter().fold(Self::new(), |writer, value| writer.align_to(4).string(value));
        self.byte_array(&elements.0)
    }

    /// A dictionary of strings.
    pub(super) fn string_map(self, entries: &[(&str, &str)]) -> Self {
        self.struct_array(|writer| {
            entries.iter().fold(writer, |writer, (key, value)| writer.begin_struct().string(key).string(value))
        })
    }

    fn align_to(mut self, to: usize) -> Self {
        let length = self.0.len().next_multiple_of(to);
        self.0.resize(length, 0);
        self
    }

    fn header_field(self, code: u8, kind: &str, value: &str) -> Self {
        let writer = self.begin_struct().byte(code).signature(kind);
        if kind == "g" { writer.signature(value) } else { writer.string(value) }
    }
}

fn wire_length(length: usize) -> u32 {
    u32::try_from(length).expect("a message of ours is small")
}

impl<'a> MethodCall<'a> {
    /// A call to the bus itself.
    pub(super) fn to_bus(member: &'a str, signature: &'a str, body: WireWriter) -> Self {
        const BUS: &str = "org.freedesktop.DBus";
        Self { destination: BUS, path: "/org/freedesktop/DBus", interface: BUS, member, signature, body }
    }

    /// Encodes the whole message, header and body.
    pub(super) fn encode(&self, serial: u32) -> Zeroizing<Vec<u8>> {
        let head = WireWriter::new()
            .byte(ENDIAN)
            .byte(CALL)
            .byte(0)
            .byte(VERSION)
            .u32(wire_length(self.body.0.len()))
            .u32(serial)
            .struct_array(|writer| {
                let writer = writer
                    .header_field(PATH, "o", self.path)
                    .header_field(INTERFACE, "s", self.interface)
                    .header_field(MEMBER, "s", self.member)
                    .header_field(DESTINATION, "s", self.destination);
                if self.signature.is_empty() { writer } else { writer.header_field(SIGNATURE, "g", self.signature) }
            });
        let mut message = head.begin_struct().0;
        message.extend_from_slice(&self.body.0);
        message
    }
}

#[cfg(test)]
impl WireWriter {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

/// Reads the values of a body; `None` if it is malformed.
pub(super) type BodyReader<T> = fn(&mut WireReader<'_>) -> Option<T>;

/// A received message, with the header fields that we need.
#[derive(Default)]
pub(super) struct BusMessage {
    kind: u8,
    path: Option<String>,
    member: Option<String>,
    /// The name of the error, if this message is an error.
    pub(super) error: Option<String>,
    reply_to: Option<u32>,
    /// The signature of the body, as the sender declares it.
    signature: String,
    body: Zeroizing<Vec<u8>>,
}

impl BusMessage {
    /// The length of the message that begins with this header; `None` if the header is malformed or the message too
    /// large.
    pub(super) fn total_length(head: &[u8; FIXED_HEADER_LEN]) -> Option<usize> {
        let [endian, _, _, version, rest @ ..] = head;
        let mut rest = WireReader::new(rest);
        let (body, _serial, fields) = (rest.read_u32()?, rest.read_u32()?, rest.read_u32()?);
        let fields = usize::try_from(fields).ok()?.checked_next_multiple_of(8)?;
        let length = FIXED_HEADER_LEN.checked_add(fields)?.checked_add(usize::try_from(body).ok()?)?;
        (*endian == ENDIAN && *version == VERSION && length <= MAX_MESSAGE_SIZE).then_some(length)
    }

    /// Parses a complete message.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = WireReader::new(bytes);
        let kind = *reader.take_bytes(FIXED_HEADER_LEN - 4)?.get(1)?;
        let mut message = Self { kind, ..Self::default() };
        reader.read_struct_array(|reader| message.read_field(reader))?;
        reader.align_to(8)?;
        message.body = Zeroizing::new(reader.remaining_bytes().to_vec());
        Some(message)
    }

    /// Reads one header field. Unknown fields are skipped, as the D-Bus specification demands ("Header Fields").
    fn read_field(&mut self, reader: &mut WireReader<'_>) -> Option<()> {
        let code = reader.read_byte()?;
        match (code, reader.read_signature()?) {
            (PATH, "o") => self.path = Some(reader.read_text()?),
            (MEMBER, "s") => self.member = Some(reader.read_text()?),
            (ERROR_NAME, "s") => self.error = Some(reader.read_text()?),
            (REPLY_SERIAL, "u") => self.reply_to = Some(reader.read_u32()?),
            (SIGNATURE, "g") => self.signature = reader.read_signature()?.to_owned(),
            (_, kind) => reader.skip_value(kind)?,
        }
        Some(())
    }

    pub(super) fn is_reply_to(&self, serial: u32) -> bool {
        matches!(self.kind, RETURN | ERROR) && self.reply_to == Some(serial)
    }

    pub(super) fn is_signal(&self, path: &str, member: &str) -> bool {
        self.kind == SIGNAL && self.path.as_deref() == Some(path) && self.member.as_deref() == Some(member)
    }

    /// Whether a caller can wait for this type of message.
    pub(super) fn is_expected(&self) -> bool {
        matches!(self.kind, RETURN | ERROR | SIGNAL)
    }

    /// The values of the body; `None` if the message is an error, or has another signature than the method's contract.
    pub(super) fn read_body<T>(&self, signature: &str, read: BodyReader<T>) -> Option<T> {
        if self.kind != ERROR && self.signature == signature { read(&mut WireReader::new(&self.body)) } else { None }
    }

    /// The text of an error message, if it has one.
    pub(super) fn error_text(&self) -> Option<String> {
        if self.signature.starts_with('s') { WireReader::new(&self.body).read_text() } else { None }
    }
}

/// Decodes values one after the other; each function gives `None` if the input is malformed.
pub(super) struct WireReader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> WireReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(super) fn read_byte(&mut self) -> Option<u8> {
        self.take_bytes(1)?.first().copied()
    }

    pub(super) fn read_u32(&mut self) -> Option<u32> {
        self.align_to(4)?;
        Some(u32::from_ne_bytes(self.take_bytes(4)?.try_into().ok()?))
    }

    pub(super) fn read_boolean(&mut self) -> Option<bool> {
        self.read_u32().map(|value| value == 1)
    }

    pub(super) fn read_string(&mut self) -> Option<&'a str> {
        let text = self.read_byte_array()?;
        (self.read_byte()? == 0).then(|| std::str::from_utf8(text).ok())?
    }

    /// A string or an object path, copied out of the message.
    pub(super) fn read_text(&mut self) -> Option<String> {
        self.read_string().map(str::to_owned)
    }

    pub(super) fn read_byte_array(&mut self) -> Option<&'a [u8]> {
        let length = self.read_u32()?;
        self.take_bytes(usize::try_from(length).ok()?)
    }

    pub(super) fn read_signature(&mut self) -> Option<&'a str> {
        let length = self.read_byte()?;
        let text = self.take_bytes(length.into())?;
        (self.read_byte()? == 0).then(|| std::str::from_utf8(text).ok())?
    }

    pub(super) fn begin_struct(&mut self) -> Option<()> {
        self.align_to(8)
    }

    /// An array of strings or object paths.
    pub(super) fn read_string_array(&mut self) -> Option<Vec<String>> {
        let length = usize::try_from(self.read_u32()?).ok()?;
        let end = self.position.checked_add(length)?;
        let mut found = Vec::new();
        while self.position < end {
            found.push(self.read_text()?);
        }
        (self.position == end).then_some(found)
    }

    /// Skips a variant of a simple type.
    pub(super) fn skip_variant(&mut self) -> Option<()> {
        let kind = self.read_signature()?;
        self.skip_value(kind)
    }

    fn read_struct_array(&mut self, mut read: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        let length = usize::try_from(self.read_u32()?).ok()?;
        self.align_to(8)?;
        let end = self.position.checked_add(length)?;
        while self.position < end {
            self.align_to(8)?;
            read(self)?;
        }
        (self.position == end).then_some(())
    }

    fn skip_value(&mut self, kind: &str) -> Option<()> {
        let size = match kind {
            "y" => return self.read_byte().map(drop),
            "s" | "o" => return self.read_string().map(drop),
            "g" => return self.read_signature().map(drop),
            "ay" => return self.read_byte_array().map(drop),
            "n" | "q" => 2,
            "b" | "i" | "u" | "h" => 4,
            "x" | "t" | "d" => 8,
            _ => return None,
        };
        self.align_to(size)?;
        self.take_bytes(size).map(drop)
    }

    fn align_to(&mut self, to: usize) -> Option<()> {
        self.position = self.position.checked_next_multiple_of(to).filter(|at| *at <= self.bytes.len())?;
        Some(())
    }

    fn take_bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.position.checked_add(count)?;
        let found = self.bytes.get(self.position..end)?;
        self.position = end;
        Some(found)
    }

    fn remaining_bytes(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }
}
