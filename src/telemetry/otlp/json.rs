//! Reads OTLP's JSON by the table of its messages.
//!
//! Fields that OTLP does not have are skipped as they are read, other spellings of a name included: the next reader
//! might understand them, and find an identity there.

use std::{cell::RefCell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{
    OtlpError,
    schema::{FieldType, Message, MessageTree, ObjectBudget, OtlpFault},
};

/// Reads one message from a document, which must end after it.
pub(super) fn read_message(
    message: &'static Message,
    document: &[u8],
    budget: ObjectBudget,
) -> Result<MessageTree, OtlpError> {
    let state = ReadState { budget: RefCell::new(budget), error: RefCell::new(None) };
    let mut deserializer = serde_json::Deserializer::from_slice(document);
    let seed = FieldReader { field: "the body", field_type: FieldType::Message(message), state: &state };
    let read = seed.deserialize(&mut deserializer).and_then(|tree| deserializer.end().map(|()| tree));
    match read {
        Ok(Value::Object(tree)) => Ok(tree),
        Ok(_) => Err(OtlpError::Fault(OtlpFault { field: "the body", expected: "an object" })),
        Err(_) => Err(state.error.into_inner().unwrap_or(OtlpError::NotJson)),
    }
}

/// What all readers of one document share.
struct ReadState {
    budget: RefCell<ObjectBudget>,
    /// Why reading has stopped, if it is not the syntax.
    error: RefCell<Option<OtlpError>>,
}

/// Reads one value as the type of its field.
#[derive(Clone, Copy)]
struct FieldReader<'s> {
    field: &'static str,
    field_type: FieldType,
    state: &'s ReadState,
}

impl FieldReader<'_> {
    fn fail<E: serde::de::Error>(&self, error: OtlpError) -> E {
        let text = error.to_string();
        *self.state.error.borrow_mut() = Some(error);
        E::custom(text)
    }

    fn fault<E: serde::de::Error>(&self) -> E {
        let expected = match self.field_type {
            FieldType::Text | FieldType::HexBytes | FieldType::Base64Bytes => "a text",
            FieldType::Boolean => "true or false",
            FieldType::Int32 | FieldType::UInt32 | FieldType::ZigZag32 | FieldType::Fixed32 => "an integer of 32 bits",
            FieldType::Int64 | FieldType::UInt64 | FieldType::Fixed64 | FieldType::SignedFixed64 => {
                "an integer of 64 bits"
            }
            FieldType::Double => "a number",
            FieldType::Message(_) => "an object",
            FieldType::List(_) => "a list",
        };
        self.fail(OtlpError::Fault(OtlpFault { field: self.field, expected }))
    }

    /// The integer, if the type of the field has room for it.
    fn accept_integer(&self, number: i128) -> Option<Value> {
        let fits = match self.field_type {
            FieldType::Int32 | FieldType::ZigZag32 => i32::try_from(number).is_ok(),
            FieldType::UInt32 | FieldType::Fixed32 => u32::try_from(number).is_ok(),
            FieldType::Int64 | FieldType::SignedFixed64 => i64::try_from(number).is_ok(),
            FieldType::UInt64 | FieldType::Fixed64 => u64::try_from(number).is_ok(),
            FieldType::Double => true,
            FieldType::Text
            | FieldType::Boolean
            | FieldType::HexBytes
            | FieldType::Base64Bytes
            | FieldType::Message(_)
            | FieldType::List(_) => false,
        };
        let value = || i64::try_from(number).map(Value::from).or_else(|_| u64::try_from(number).map(Value::from)).ok();
        if fits { value() } else { None }
    }

    /// The text, if the type of the field has one: integers of 64 bits and numbers that JSON lacks are texts, too.
    fn accept_text(&self, text: &str) -> Option<Value> {
        let accepted = match self.field_type {
            FieldType::Text => true,
            FieldType::HexBytes => text.bytes().all(|byte| byte.is_ascii_hexdigit()),
            FieldType::Base64Bytes => text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte)),
            FieldType::Int64 | FieldType::SignedFixed64 => text.parse::<i64>().is_ok(),
            FieldType::UInt64 | FieldType::Fixed64 => text.parse::<u64>().is_ok(),
            FieldType::Double => matches!(text, "NaN" | "Infinity" | "-Infinity"),
            FieldType::Boolean
            | FieldType::Int32
            | FieldType::UInt32
            | FieldType::ZigZag32
            | FieldType::Fixed32
            | FieldType::Message(_)
            | FieldType::List(_) => false,
        };
        accepted.then(|| Value::from(text))
    }
}

impl<'de> DeserializeSeed<'de> for FieldReader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FieldReader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of OTLP")
    }

    /// `null` is an absent field, as in protobuf's JSON. In a list it has no meaning.
    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        match self.field_type {
            FieldType::Boolean => Ok(Value::from(value)),
            _ => Err(self.fault()),
        }
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Value, E> {
        self.accept_integer(number.into()).ok_or_else(|| self.fault())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
        self.accept_integer(number.into()).ok_or_else(|| self.fault())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        match self.field_type {
            FieldType::Double => Ok(Value::from(number)),
            _ => Err(self.fault()),
        }
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.accept_text(text).ok_or_else(|| self.fault())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let FieldType::List(element) = self.field_type else { return Err(self.fault()) };
        let reader = Self { field_type: *element, ..self };
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(reader)? {
            if item.is_null() {
                return Err(reader.fault());
            }
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let FieldType::Message(message) = self.field_type else { return Err(self.fault()) };
        if self.state.budget.borrow_mut().take().is_none() {
            return Err(self.fail(OtlpError::TooManyItems));
        }
        let mut tree = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let Some(found) = message.find_by_name(&name) else {
                fields.next_value::<IgnoredAny>()?;
                continue;
            };
            let reader = Self { field: found.name, field_type: found.field_type, state: self.state };
            let value = fields.next_value_seed(reader)?;
            if !value.is_null() && tree.insert(name, value).is_some() {
                return Err(A::Error::custom("a field occurs twice"));
            }
        }
        Ok(Value::Object(tree))
    }
}
