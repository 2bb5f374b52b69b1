//! D-Bus's wire format: the few types that a conversation with the Secret Service uses.
//!
//! Whatever is read is foreign: nothing is believed about lengths, and nothing malformed is more than `None`.

use zeroize::Zeroizing;

/// No message of ours, or for us, is larger.
const LIMIT: usize = 1 << 20;
/// What stands before the header's fields: their length included.
pub(super) const HEAD: usize = 16;
const ENDIAN: u8 = if cfg!(target_endian = "big") { b'B' } else { b'l' };
const VERSION: u8 = 1;

/// Kinds of message.
const CALL: u8 = 1;
const RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

/// Codes of header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// A method call.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
    pub(super) signature: &'a str,
    pub(super) body: Writer,
}

/// Values in the order in which they are written. Both ends are on one machine, so its own byte order serves.
pub(super) struct Writer(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Writer({} bytes)", self.0.len())
    }
}

impl Writer {
    pub(super) fn new() -> Self {
        // Room for any call of ours: growing would leave a copy of a secret behind.
        Self(Zeroizing::new(Vec::with_capacity(1024)))
    }

    pub(super) fn byte(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self = self.aligned(4);
        self.0.extend_from_slice(&value.to_ne_bytes());
        self
    }

    pub(super) fn boolean(self, value: bool) -> Self {
        self.u32(value.into())
    }

    pub(super) fn string(self, value: &str) -> Self {
        self.bytes(value.as_bytes()).byte(0)
    }

    /// An array of bytes.
    pub(super) fn bytes(mut self, value: &[u8]) -> Self {
        self = self.u32(length(value.len()));
        self.0.extend_from_slice(value);
        self
    }

    pub(super) fn signature(mut self, value: &str) -> Self {
        self = self.byte(u8::try_from(value.len()).expect("our signatures are short"));
        self.0.extend_from_slice(value.as_bytes());
        self.byte(0)
    }

    /// A structure, or an entry of a dictionary, begins here.
    pub(super) fn structure(self) -> Self {
        self.aligned(8)
    }

    /// An array whose elements are structures or entries.
    pub(super) fn structures(mut self, write: impl FnOnce(Self) -> Self) -> Self {
        self = self.u32(0);
        let place = self.0.len() - 4;
        self = self.aligned(8);
        let begin = self.0.len();
        self = write(self);
        let written = length(self.0.len() - begin).to_ne_bytes();
        self.0.iter_mut().skip(place).zip(written).for_each(|(at, byte)| *at = byte);
        self
    }

    /// An array of texts or paths.
    pub(super) fn strings(self, values: &[&str]) -> Self {
        // Elements are aligned to four, as is the array: they look alike wherever it stands.
        let elements = values.iter().fold(Self::new(), |writer, value| writer.aligned(4).string(value));
        self.bytes(&elements.0)
    }

    /// A dictionary of texts.
    pub(super) fn texts(self, entries: &[(&str, &str)]) -> Self {
        self.structures(|writer| {
            entries.iter().fold(writer, |writer, (key, value)| writer.structure().string(key).string(value))
        })
    }

    fn aligned(mut self, to: usize) -> Self {
        let length = self.0.len().next_multiple_of(to);
        self.0.resize(length, 0);
        self
    }

    fn field(self, code: u8, kind: &str, value: &str) -> Self {
        let writer = self.structure().byte(code).signature(kind);
        if kind == "g" { writer.signature(value) } else { writer.string(value) }
    }
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("a message of ours is small")
}

impl Call<'_> {
    /// The whole message.
    pub(super) fn written(&self, serial: u32) -> Zeroizing<Vec<u8>> {
        let head = Writer::new()
            .byte(ENDIAN)
            .byte(CALL)
            .byte(0)
            .byte(VERSION)
            .u32(length(self.body.0.len()))
            .u32(serial)
            .structures(|writer| {
                let writer = writer
                    .field(PATH, "o", self.path)
                    .field(INTERFACE, "s", self.interface)
                    .field(MEMBER, "s", self.member)
                    .field(DESTINATION, "s", self.destination);
                if self.signature.is_empty() { writer } else { writer.field(SIGNATURE, "g", self.signature) }
            });
        let mut message = head.structure().0;
        message.extend_from_slice(&self.body.0);
        message
    }
}

#[cfg(test)]
impl Writer {
    pub(super) fn written(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

/// A message as it came in.
pub(super) struct Message {
    pub(super) kind: Kind,
    /// What the body holds, by its sender's word.
    pub(super) signature: String,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// What a message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Return { to: u32 },
    Error { to: u32, name: String },
    Signal { path: String, member: String },
    Other,
}

impl Message {
    /// How long the message is that begins so.
    pub(super) fn length(head: &[u8; HEAD]) -> Option<usize> {
        let [endian, _, _, version, rest @ ..] = head;
        let mut rest = Reader::new(rest);
        let (body, _serial, fields) = (rest.u32()?, rest.u32()?, rest.u32()?);
        let fields = usize::try_from(fields).ok()?.checked_next_multiple_of(8)?;
        let length = HEAD.checked_add(fields)?.checked_add(usize::try_from(body).ok()?)?;
        (*endian == ENDIAN && *version == VERSION && length <= LIMIT).then_some(length)
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let kind = *reader.take(HEAD - 4)?.get(1)?;
        let mut fields = Fields::default();
        reader.structures(|reader| fields.add(reader))?;
        reader.align(8)?;
        let Fields { path, member, error, reply_to, signature } = fields;
        let kind = match kind {
            RETURN => Kind::Return { to: reply_to? },
            ERROR => Kind::Error { to: reply_to?, name: error? },
            SIGNAL => Kind::Signal { path: path?, member: member? },
            _ => Kind::Other,
        };
        let body = Zeroizing::new(reader.rest().to_vec());
        Some(Self { kind, signature: signature.unwrap_or_default(), body })
    }
}

#[derive(Default)]
struct Fields {
    path: Option<String>,
    member: Option<String>,
    error: Option<String>,
    reply_to: Option<u32>,
    signature: Option<String>,
}

impl Fields {
    /// Fields that we do not know are to be passed over (D-Bus specification, "Header Fields").
    fn add(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let code = reader.byte()?;
        match (code, reader.signature()?) {
            (PATH, "o") => self.path = Some(reader.string()?.to_owned()),
            (MEMBER, "s") => self.member = Some(reader.string()?.to_owned()),
            (ERROR_NAME, "s") => self.error = Some(reader.string()?.to_owned()),
            (REPLY_SERIAL, "u") => self.reply_to = Some(reader.u32()?),
            (SIGNATURE, "g") => self.signature = Some(reader.signature()?.to_owned()),
            (_, kind) => reader.skip(kind)?,
        }
        Some(())
    }
}

/// Values in the order in which they stand; `None` for whatever is malformed.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.align(4)?;
        Some(u32::from_ne_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn boolean(&mut self) -> Option<bool> {
        self.u32().map(|value| value == 1)
    }

    pub(super) fn string(&mut self) -> Option<&'a str> {
        let text = self.bytes()?;
        (self.byte()? == 0).then(|| std::str::from_utf8(text).ok())?
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).ok()?)
    }

    pub(super) fn signature(&mut self) -> Option<&'a str> {
        let length = self.byte()?;
        let text = self.take(length.into())?;
        (self.byte()? == 0).then(|| std::str::from_utf8(text).ok())?
    }

    pub(super) fn structure(&mut self) -> Option<()> {
        self.align(8)
    }

    /// An array of texts or paths.
    pub(super) fn strings(&mut self) -> Option<Vec<String>> {
        let length = usize::try_from(self.u32()?).ok()?;
        let end = self.at.checked_add(length)?;
        let mut found = Vec::new();
        while self.at < end {
            found.push(self.string()?.to_owned());
        }
        (self.at == end).then_some(found)
    }

    /// A variant of a simple type, passed over.
    pub(super) fn skip_variant(&mut self) -> Option<()> {
        let kind = self.signature()?;
        self.skip(kind)
    }

    fn structures(&mut self, mut read: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.align(8)?;
        let end = self.at.checked_add(length)?;
        while self.at < end {
            self.align(8)?;
            read(self)?;
        }
        (self.at == end).then_some(())
    }

    fn skip(&mut self, kind: &str) -> Option<()> {
        let size = match kind {
            "y" => return self.byte().map(drop),
            "s" | "o" => return self.string().map(drop),
            "g" => return self.signature().map(drop),
            "ay" => return self.bytes().map(drop),
            "n" | "q" => 2,
            "b" | "i" | "u" | "h" => 4,
            "x" | "t" | "d" => 8,
            _ => return None,
        };
        self.align(size)?;
        self.take(size).map(drop)
    }

    fn align(&mut self, to: usize) -> Option<()> {
        self.at = self.at.checked_next_multiple_of(to).filter(|at| *at <= self.bytes.len())?;
        Some(())
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let found = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(found)
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}
