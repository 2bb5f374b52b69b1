//! Macros for trait implementations that many types need in the same form.

/// Implements `From` for each variant that holds another error and nothing else, so that `?` passes that error on.
macro_rules! impl_from {
    ($error:ty: $($variant:ident($source:ty)),+ $(,)?) => {
        $(impl From<$source> for $error {
            fn from(source: $source) -> Self {
                Self::$variant(source)
            }
        })+
    };
}

/// Implements `Debug` as one text, for types whose fields are secret or say nothing to a reader of the log.
macro_rules! impl_debug {
    ($type:ty, $show:expr) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let show: fn(&Self) -> &str = $show;
                f.write_str(show(self))
            }
        }
    };
}

pub(crate) use {impl_debug, impl_from};
