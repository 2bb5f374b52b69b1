//! `From` for errors that wrap the error of a module below, so that `?` passes it on.

/// Implements `From` for each variant that holds another error and nothing else.
macro_rules! impl_from {
    ($error:ty: $($variant:ident($source:ty)),+ $(,)?) => {
        $(impl From<$source> for $error {
            fn from(source: $source) -> Self {
                Self::$variant(source)
            }
        })+
    };
}
pub(crate) use impl_from;
