//! A scripted Identity Center on loopback.
