//! Reads the proxy from the system's settings: the registry on Windows, System Configuration on macOS.
//!
//! It returns the values as they are. `http` applies them to an address.

/// The system's proxy settings. Other systems use environment variables only, so theirs are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemProxy {
    /// `host:port`, or one proxy per protocol: `http=a:80;https=b:81`.
    pub address: Option<String>,
    /// Hosts that need no proxy, separated by semicolons.
    pub bypass: String,
    /// Whether a script (PAC) chooses the proxy.
    pub has_script: bool,
}

#[cfg(not(any(windows, target_os = "macos")))]
pub fn read_system_proxy() -> SystemProxy {
    SystemProxy::default()
}

/// Reads the settings of WinINET, which the page "Proxy" of the Windows settings shows.
#[cfg(windows)]
pub fn read_system_proxy() -> SystemProxy {
    const SETTINGS: &str = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings";
    let Ok(settings) = windows_registry::CURRENT_USER.open(SETTINGS) else { return SystemProxy::default() };
    let text = |name| settings.get_string(name).ok().filter(|text| !text.trim().is_empty());
    let is_on = settings.get_u32("ProxyEnable").is_ok_and(|on| on != 0);
    SystemProxy {
        address: text("ProxyServer").filter(|_| is_on),
        bypass: text("ProxyOverride").unwrap_or_default(),
        has_script: text("AutoConfigURL").is_some(),
    }
}

/// Runs Apple's tool, because the library for the settings would need unsafe code.
#[cfg(target_os = "macos")]
#[expect(clippy::disallowed_methods, reason = "a child with null streams that ends at once")]
pub fn read_system_proxy() -> SystemProxy {
    use std::process::{Command, Stdio};
    let mut scutil = Command::new("/usr/sbin/scutil");
    let said = scutil.arg("--proxy").stdin(Stdio::null()).stderr(Stdio::null()).output();
    said.map_or_else(|_| SystemProxy::default(), |said| parse_scutil(&String::from_utf8_lossy(&said.stdout)))
}

/// Parses the output of `scutil --proxy`: one line per key, and one numbered line per exception.
#[cfg(any(test, target_os = "macos"))]
fn parse_scutil(said: &str) -> SystemProxy {
    let pairs: Vec<_> = said.lines().filter_map(|line| line.trim().split_once(" : ")).collect();
    let value = |key| pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    let is_on = |key| value(key) == Some("1");
    let address = value("HTTPSProxy").filter(|_| is_on("HTTPSEnable"));
    let port = value("HTTPSPort").map_or_else(String::new, |port| format!(":{port}"));
    let mut bypass: Vec<_> = pairs.iter().filter(|(name, _)| name.parse::<u16>().is_ok()).map(|pair| pair.1).collect();
    if is_on("ExcludeSimpleHostnames") {
        bypass.push("<local>");
    }
    SystemProxy {
        address: address.map(|host| format!("{host}{port}")),
        bypass: bypass.join(";"),
        has_script: is_on("ProxyAutoConfigEnable") || is_on("ProxyAutoDiscoveryEnable"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macos_proxy_settings_include_exceptions() {
        let said = "<dictionary> {\n  ExceptionsList : <array> {\n    0 : *.local\n    1 : 169.254/16\n  }\n  \
                    ExcludeSimpleHostnames : 1\n  HTTPEnable : 0\n  HTTPSEnable : 1\n  HTTPSPort : 3128\n  \
                    HTTPSProxy : proxy.example\n  ProxyAutoConfigEnable : 0\n}\n";
        let (address, bypass) = (Some("proxy.example:3128".into()), "*.local;169.254/16;<local>".into());
        assert_eq!(parse_scutil(said), SystemProxy { address, bypass, has_script: false });
    }

    #[test]
    fn disabled_system_proxy_is_absent_and_script_is_noted() {
        let said = "<dictionary> {\n  HTTPSEnable : 0\n  HTTPSProxy : proxy.example\n  ProxyAutoConfigEnable : 1\n  \
                    ProxyAutoConfigURLString : http://wpad/wpad.dat\n}\n";
        assert_eq!(parse_scutil(said), SystemProxy { has_script: true, ..SystemProxy::default() });
        assert_eq!(parse_scutil("<dictionary> {\n}\n"), SystemProxy::default());
    }
}
