//! Reads and writes OTLP's protobuf by the table of its messages (<https://protobuf.dev/programming-guides/encoding/>).
//!
//! A whole code generator with its runtime would serve nine messages here, and its trees have no limit for their memory.
//! Unknown fields are skipped, as in OTLP's JSON.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{
    OtlpError,
    schema::{Field, FieldType, Message, MessageTree, ObjectBudget},
};

/// How deep messages may be nested. An attribute of OTLP is at depth eight.
const MAX_DEPTH: usize = 64;

/// Reads one message.
pub(super) fn read_message(
    message: &'static Message,
    bytes: &[u8],
    mut budget: ObjectBudget,
) -> Result<MessageTree, OtlpError> {
    let mut tree = Map::new();
    merge_message(message, bytes, &mut tree, &mut budget, MAX_DEPTH)?;
    Ok(tree)
}

/// Bytes that are still to be read.
struct Input<'b>(&'b [u8]);

/// A field as it is written, before its type is known.
enum RawField<'b> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'b [u8]),
    Fixed32([u8; 4]),
}

impl<'b> Input<'b> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn take_array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// A number of up to 64 bits, seven in each byte.
    fn take_varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for index in 0..10 {
            let [byte] = self.take_array()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if index == 9 && bits > 1 {
                return None;
            }
            number |= bits << (7 * index);
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// The number of a field and its content. Groups are not accepted: nothing in OTLP has ever been one.
    fn take_field(&mut self) -> Option<(u32, RawField<'b>)> {
        let key = self.take_varint()?;
        let number = u32::try_from(key >> 3).ok().filter(|number| *number > 0)?;
        let raw = match key & 7 {
            0 => RawField::Varint(self.take_varint()?),
            1 => RawField::Fixed64(self.take_array()?),
            2 => {
                let length = usize::try_from(self.take_varint()?).ok()?;
                RawField::Bytes(self.take(length)?)
            }
            5 => RawField::Fixed32(self.take_array()?),
            _ => return None,
        };
        Some((number, raw))
    }
}

/// Reads the fields of a message into its tree. A message that occurs twice is one with the fields of both, as protobuf
/// says.
fn merge_message(
    message: &'static Message,
    bytes: &[u8],
    tree: &mut MessageTree,
    budget: &mut ObjectBudget,
    depth: usize,
) -> Result<(), OtlpError> {
    let depth = depth.checked_sub(1).ok_or(OtlpError::NotProtobuf)?;
    let mut input = Input(bytes);
    while !input.is_empty() {
        let (number, raw) = input.take_field().ok_or(OtlpError::NotProtobuf)?;
        let Some(field) = message.find_by_number(number) else { continue };
        match (field.field_type, raw) {
            (FieldType::List(element), raw) => {
                let Value::Array(list) = tree.entry(field.name).or_insert_with(|| json!([])) else { continue };
                match (element, raw) {
                    (FieldType::Message(inner), RawField::Bytes(bytes)) => {
                        budget.take().ok_or(OtlpError::TooManyItems)?;
                        let mut item = Map::new();
                        merge_message(inner, bytes, &mut item, budget, depth)?;
                        list.push(Value::Object(item));
                    }
                    (element, RawField::Bytes(bytes)) => unpack_numbers(*element, bytes, list)?,
                    (element, raw) => list.push(read_scalar(*element, raw).ok_or(OtlpError::NotProtobuf)?),
                }
            }
            (FieldType::Message(inner), RawField::Bytes(bytes)) => {
                budget.take().ok_or(OtlpError::TooManyItems)?;
                let Value::Object(item) = tree.entry(field.name).or_insert_with(|| json!({})) else { continue };
                merge_message(inner, bytes, item, budget, depth)?;
            }
            (scalar, raw) => {
                let value = read_scalar(scalar, raw).ok_or(OtlpError::NotProtobuf)?;
                tree.insert(field.name.to_owned(), value);
            }
        }
    }
    Ok(())
}

/// Numbers of a list that stand in one field ("packed").
fn unpack_numbers(element: FieldType, bytes: &[u8], list: &mut Vec<Value>) -> Result<(), OtlpError> {
    let mut input = Input(bytes);
    while !input.is_empty() {
        let raw = match element {
            FieldType::Fixed64 | FieldType::SignedFixed64 | FieldType::Double => {
                input.take_array().map(RawField::Fixed64)
            }
            FieldType::Fixed32 => input.take_array().map(RawField::Fixed32),
            FieldType::Int32
            | FieldType::UInt32
            | FieldType::ZigZag32
            | FieldType::Int64
            | FieldType::UInt64
            | FieldType::Boolean => input.take_varint().map(RawField::Varint),
            FieldType::Text
            | FieldType::HexBytes
            | FieldType::Base64Bytes
            | FieldType::Message(_)
            | FieldType::List(_) => None,
        };
        let value = raw.and_then(|raw| read_scalar(element, raw));
        list.push(value.ok_or(OtlpError::NotProtobuf)?);
    }
    Ok(())
}

/// The value as OTLP's JSON has it; `None` if the field is written in another form than its type has.
#[expect(clippy::cast_possible_truncation, reason = "protobuf truncates numbers that are too large for their type")]
#[expect(clippy::cast_possible_wrap, reason = "protobuf writes negative numbers in two's complement")]
fn read_scalar(field_type: FieldType, raw: RawField<'_>) -> Option<Value> {
    Some(match (field_type, raw) {
        (FieldType::Text, RawField::Bytes(bytes)) => Value::from(std::str::from_utf8(bytes).ok()?),
        (FieldType::HexBytes, RawField::Bytes(bytes)) => Value::from(to_hex(bytes)),
        (FieldType::Base64Bytes, RawField::Bytes(bytes)) => Value::from(STANDARD.encode(bytes)),
        (FieldType::Boolean, RawField::Varint(number)) => Value::from(number != 0),
        (FieldType::Int32, RawField::Varint(number)) => Value::from(number as i32),
        (FieldType::UInt32, RawField::Varint(number)) => Value::from(number as u32),
        (FieldType::ZigZag32, RawField::Varint(number)) => {
            let digits = number as u32;
            Value::from(((digits >> 1) as i32) ^ -((digits & 1) as i32))
        }
        (FieldType::Fixed32, RawField::Fixed32(bytes)) => Value::from(u32::from_le_bytes(bytes)),
        // Integers of 64 bits are texts in OTLP's JSON.
        (FieldType::Int64, RawField::Varint(number)) => Value::from((number as i64).to_string()),
        (FieldType::UInt64, RawField::Varint(number)) => Value::from(number.to_string()),
        (FieldType::Fixed64, RawField::Fixed64(bytes)) => Value::from(u64::from_le_bytes(bytes).to_string()),
        (FieldType::SignedFixed64, RawField::Fixed64(bytes)) => Value::from(i64::from_le_bytes(bytes).to_string()),
        (FieldType::Double, RawField::Fixed64(bytes)) => match f64::from_le_bytes(bytes) {
            number if number.is_nan() => Value::from("NaN"),
            f64::INFINITY => Value::from("Infinity"),
            f64::NEG_INFINITY => Value::from("-Infinity"),
            number => Value::from(number),
        },
        _ => return None,
    })
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes an answer: messages, texts and integers. Fields that the message does not have are left out.
pub(super) fn write_message(message: &'static Message, tree: &MessageTree) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in message.fields() {
        if let Some(value) = tree.get(field.name) {
            write_field(field, value, &mut bytes);
        }
    }
    bytes
}

fn write_field(field: &Field, value: &Value, bytes: &mut Vec<u8>) {
    let key = u64::from(field.number) << 3;
    let write_bytes = |content: &[u8], bytes: &mut Vec<u8>| {
        write_varint(key | 2, bytes);
        write_varint(content.len() as u64, bytes);
        bytes.extend_from_slice(content);
    };
    match (field.field_type, value) {
        (FieldType::Message(inner), Value::Object(tree)) => write_bytes(&write_message(inner, tree), bytes),
        (FieldType::Text, Value::String(text)) => write_bytes(text.as_bytes(), bytes),
        (FieldType::Int32 | FieldType::Int64, value) => {
            let number = value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default();
            write_varint(key, bytes);
            write_varint(u64::from_ne_bytes(number.to_ne_bytes()), bytes);
        }
        _ => {}
    }
}

fn write_varint(mut number: u64, bytes: &mut Vec<u8>) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            bytes.push(low & 0x7f);
            return;
        }
        bytes.push(low | 0x80);
    }
}
