"""The tables of the installer: what Windows Installer does when the package is installed, replaced and removed.

The functions compute rows from the properties of one package; msi.py writes them to a file. The names are those of Microsoft's
"Database Tables" reference, and named constants explain its numbers.
"""

import hashlib
import uuid
from dataclasses import dataclass, field
from pathlib import Path

# Windows recognises older packages by these codes, so they must never change.
UPGRADE_CODES = {
    "machine": "{0BFDF532-2DD0-59EB-A5FD-4881D9F86567}",
    "user": "{8A6796CC-EE6B-55A9-A4B6-5510F1AD10BF}",
}
IDENTITIES = uuid.UUID("0cde5b0c-b5fc-5b72-a00c-f7ecaf326f7d")
MANUFACTURER = "bedrock-sso contributors"
PROGRAM, CONFIGURATION, POLICY = "bedrock_sso.exe", "config.toml", "managed_settings.json"
IS_64_BIT = 256
KEY_PATH_IN_REGISTRY = 4
MUST_BE_INSTALLED = 512
HKCU, HKLM = 1, 2
# Everyone reads, only administrators write. Below %ProgramData% every user could otherwise add files.
WRITTEN_BY_ADMINISTRATORS = "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)"


@dataclass(frozen=True)
class PackagedFile:
    """A file of the package: its source, its folder on the machine, and its names there."""

    key: str
    source: Path
    folder: str
    short: str
    long: str

    @property
    def name(self) -> str:
        return self.long if self.short == self.long else f"{self.short}|{self.long}"


@dataclass
class Table:
    names: list[str]
    types: list[str]
    keys: int
    rows: list[tuple]


@dataclass
class Package:
    scope: str
    version: str
    files: list[PackagedFile]
    tables: dict[str, "Table"] = field(default_factory=dict)

    @property
    def is_for_machine(self) -> bool:
        return self.scope == "machine"

    @property
    def has_configuration(self) -> bool:
        return any(file.key == CONFIGURATION for file in self.files)

    def identity(self, *parts: str) -> str:
        """An identifier that is the same for the same parts, on every machine and at any time."""
        return "{" + str(uuid.uuid5(IDENTITIES, "/".join((self.scope, *parts)))).upper() + "}"

    @property
    def product_code(self) -> str:
        """A different code for each version and content, because Windows treats packages with the same code as the same."""
        return self.identity("product", self.version, *(digest(file.source) for file in self.files))

    def add(self, table: str, columns: str, *rows: tuple, keys: int = 1) -> None:
        """Adds a table. A column is `Name:type`, with types in the notation of exported tables."""
        names, types = zip(*(column.split(":") for column in columns.split()))
        self.tables[table] = Table(list(names), list(types), keys, list(rows))

    def rows(self, table: str) -> list[tuple]:
        return self.tables[table].rows


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def tables_of(package: Package) -> dict[str, Table]:
    properties(package)
    folders(package)
    files(package)
    environment(package)
    upgrades(package)
    actions(package)
    sequences(package)
    if package.has_configuration:
        configuration(package)
    return package.tables


def properties(package: Package) -> None:
    rows = {
        "ProductCode": package.product_code,
        "ProductName": "bedrock-sso",
        "ProductVersion": package.version,
        "ProductLanguage": "1033",
        "Manufacturer": MANUFACTURER,
        "UpgradeCode": UPGRADE_CODES[package.scope],
        "ARPCOMMENTS": "Corporate SSO to short-lived AWS credentials",
        "ARPNOMODIFY": "1",
        # A program in use is replaced at the next restart of the machine, which the installer does not force.
        "REBOOT": "ReallySuppress",
        "SecureCustomProperties": "NEWERFOUND;OLDERFOUND;REPLACE;SIGNOUT",
    }
    if package.is_for_machine:
        rows["ALLUSERS"] = "1"
    package.add("Property", "Property:s72 Value:l0", *rows.items())
    package.add("LaunchCondition", "Condition:s255 Description:l255",
                ("Installed OR VersionNT64", "bedrock-sso needs a 64-bit Windows."))


def folders(package: Package) -> None:
    rows = [("TARGETDIR", "", "SourceDir")]
    if package.is_for_machine:
        rows += [("ProgramFiles64Folder", "TARGETDIR", "."), ("INSTALLDIR", "ProgramFiles64Folder", "BEDROCK|bedrock-sso")]
    else:
        rows += [("LocalAppDataFolder", "TARGETDIR", "."), ("PROGRAMS", "LocalAppDataFolder", "Programs"),
                 ("INSTALLDIR", "PROGRAMS", "BEDROCK|bedrock-sso")]
    rows.append(("COMPLETIONS", "INSTALLDIR", "COMPLETE|completions"))
    if package.has_configuration:
        rows += [("CommonAppDataFolder", "TARGETDIR", "."), ("CONFIGURATION", "CommonAppDataFolder", "BEDROCK|bedrock-sso"),
                 ("CLAUDE", "ProgramFiles64Folder", "CLAUDE|ClaudeCode")]
    package.add("Directory", "Directory:s72 Directory_Parent:S72 DefaultDir:l255", *rows)


def files(package: Package) -> None:
    """One component per file, so that each can be installed and removed separately."""
    user = not package.is_for_machine
    attributes = IS_64_BIT | (KEY_PATH_IN_REGISTRY if user else 0)
    components = [
        # For files in a user's profile, Windows finds out from the registry what is installed.
        (file.key, package.identity("component", file.folder, file.long), file.folder, attributes, condition(file), file.key)
        for file in package.files
    ]
    package.add("Component", "Component:s72 ComponentId:S38 Directory_:s72 Attributes:i2 Condition:S255 KeyPath:S72", *components)
    package.add("Feature", "Feature:s38 Feature_Parent:S38 Title:L64 Description:L255 Display:I2 Level:i2 Directory_:S72 Attributes:i2",
                ("Complete", "", "bedrock-sso", "", "", 1, "INSTALLDIR", 0))
    package.add("FeatureComponents", "Feature_:s38 Component_:s72", *(("Complete", file.key) for file in package.files), keys=2)
    rows = [
        (file.key, file.key, file.name, file.source.stat().st_size, *version(package, file), MUST_BE_INSTALLED, place)
        for place, file in enumerate(package.files, 1)
    ]
    package.add("File", "File:s72 Component_:s72 FileName:l255 FileSize:i4 Version:S72 Language:S20 Attributes:I2 Sequence:i2", *rows)
    package.add("Media", "DiskId:i2 LastSequence:i2 DiskPrompt:L64 Cabinet:S255 VolumeLabel:S32 Source:S72",
                (1, len(rows), "", "#files.cab", "", ""))
    hashed = [(file.key, 0, *quarters(file.source)) for file in package.files if version(package, file) == ("", "")]
    package.add("MsiFileHash", "File_:s72 Options:i2 HashPart1:i4 HashPart2:i4 HashPart3:i4 HashPart4:i4", *hashed)
    marks = [(file.key, HKCU, "Software\\bedrock-sso", file.long, "[INSTALLDIR]", file.key) for file in package.files if user]
    package.add("Registry", "Registry:s72 Root:i2 Key:l255 Name:L255 Value:L0 Component_:s72", *marks)
    emptied = [(folder, PROGRAM, "", folder, 2) for folder in ("COMPLETIONS", "INSTALLDIR") if user]
    package.add("RemoveFile", "FileKey:s72 Component_:s72 FileName:L255 DirProperty:s72 InstallMode:i2", *emptied)


def condition(file: PackagedFile) -> str:
    """An existing policy for Claude Code is not replaced, unless REPLACE is set."""
    return "OURPOLICY OR NOT POLICYFOUND OR REPLACE = 1" if file.key == POLICY else ""


def version(package: Package, file: PackagedFile) -> tuple[str, str]:
    if file.key == PROGRAM:
        return program_version(file.source), "1033"
    # A companion is installed whenever the program is, whatever file is in its place.
    return (PROGRAM, "") if file.key in (CONFIGURATION, POLICY) else ("", "")


def program_version(program: Path) -> str:
    """The version in the program's VS_FIXEDFILEINFO: the signature, the structure's version, then the file's version."""
    found = program.read_bytes()
    place = found.find(bytes.fromhex("bd04effe00000100"))
    if place < 0:
        raise SystemExit(f"{program} has no version: it was linked without `windres`")
    high, low = (int.from_bytes(found[place + skip : place + skip + 4], "little") for skip in (8, 12))
    return f"{high >> 16}.{high & 0xFFFF}.{low >> 16}.{low & 0xFFFF}"


def quarters(file: Path) -> list[int]:
    """The MD5, by which Windows compares files without a version. Security does not depend on it."""
    found = hashlib.md5(file.read_bytes(), usedforsecurity=False).digest()
    return [int.from_bytes(found[place : place + 4], "little", signed=True) for place in range(0, 16, 4)]


def environment(package: Package) -> None:
    # Set at installation and removed at removal. `*` means the machine's variable, `[~]` its present value.
    name = "=-*PATH" if package.is_for_machine else "=-PATH"
    package.add("Environment", "Environment:s72 Name:l255 Value:L255 Component_:s72", ("path", name, "[~];[INSTALLDIR]", PROGRAM))


def upgrades(package: Package) -> None:
    only_detect, with_minimum, with_maximum, migrate_features = 2, 256, 512, 1
    code = UPGRADE_CODES[package.scope]
    columns = "UpgradeCode:s38 VersionMin:S20 VersionMax:S20 Language:S255 Attributes:i4 Remove:S255 ActionProperty:s72"
    package.add("Upgrade", columns,
                # Also replaces the same version, because only the organisation's configuration may have changed.
                (code, "0.0.0", package.version, "", with_minimum | with_maximum | migrate_features, "", "OLDERFOUND"),
                (code, package.version, "", "", only_detect, "", "NEWERFOUND"), keys=5)


def actions(package: Package) -> None:
    fails_with_message, program_that_was_installed = 19, 18
    # Runs in order with the other changes, as the user, and its failure does not stop the removal.
    as_user = program_that_was_installed | 1024 | 64
    package.add("CustomAction", "Action:s72 Type:i2 Source:S72 Target:S255",
                ("RefuseOlder", fails_with_message, "", "A newer version of bedrock-sso is installed. Remove it first to go back to this one."),
                ("SignOut", as_user, PROGRAM, "logout --all"),
                ("UndoSetup", as_user, PROGRAM, "setup --remove --yes"))


def sequences(package: Package) -> None:
    user_wants_it = 'SIGNOUT = 1 AND REMOVE = "ALL" AND NOT UPGRADINGPRODUCTCODE'
    detect = [("FindRelatedProducts", "", 25), ("RefuseOlder", "NEWERFOUND AND NOT Installed", 30), ("LaunchConditions", "", 100)]
    # Searches only on the administrator's side, where no other user can set the results.
    search = [("AppSearch", "", 50)]
    costs = [("CostInitialize", "", 800), ("FileCost", "", 900), ("CostFinalize", "", 1000)]
    begin, end = [("InstallValidate", "", 1400), ("InstallInitialize", "", 1500)], [("InstallFinalize", "", 6600)]
    publish = [("PublishFeatures", "", 6300), ("PublishProduct", "", 6400)]
    # The older version is removed in the same transaction, so it is restored if anything fails.
    install = [("MigrateFeatureStates", "", 1200), ("RemoveExistingProducts", "", 1501), ("ProcessComponents", "", 1600),
               ("UnpublishFeatures", "", 1800), ("RemoveRegistryValues", "", 2600), ("RemoveEnvironmentStrings", "", 3300),
               ("SignOut", user_wants_it, 3410), ("UndoSetup", user_wants_it, 3420),
               ("RemoveFiles", "", 3500), ("RemoveFolders", "", 3600), ("CreateFolders", "", 3700),
               ("InstallFiles", "", 4000), ("WriteRegistryValues", "", 5000), ("WriteEnvironmentStrings", "", 5200),
               ("RegisterUser", "", 6000), ("RegisterProduct", "", 6100)]
    execute = [("ExecuteAction", "", 1300)]
    written = {
        "InstallExecuteSequence": detect + search + costs + begin + install + publish + end,
        "InstallUISequence": detect + costs + [("MigrateFeatureStates", "", 1200)] + execute,
        "AdminExecuteSequence": costs + begin + [("InstallAdminPackage", "", 3900), ("InstallFiles", "", 4000)] + end,
        "AdminUISequence": costs + execute,
        # For assignment by Group Policy.
        "AdvtExecuteSequence": [costs[0], costs[2], *begin, *publish, *end],
    }
    for table, rows in written.items():
        package.add(table, "Action:s72 Condition:S255 Sequence:I2", *sorted(rows, key=lambda row: row[2]))


def configuration(package: Package) -> None:
    """The organisation's configuration: users cannot write to its folder, and a file that was there before is not trusted."""
    found = {
        "CONFIGFOUND": ("CONFIG~1.TOM|config.toml", "[CommonAppDataFolder]bedrock-sso\\"),
        "POLICYFOUND": ("MANAGE~1.JSO|managed-settings.json", "[ProgramFiles64Folder]ClaudeCode\\"),
    }
    ours = {"OURCONFIG": (CONFIGURATION, "[CONFIGURATION]"), "OURPOLICY": (POLICY, "[CLAUDE]")}
    key, value_in_64_bit_view = "Software\\bedrock-sso", 2 | 16
    package.add("AppSearch", "Property:s72 Signature_:s72", *((name, name) for name in (*found, *ours)), keys=2)
    package.add(
        "Signature", "Signature:s72 FileName:s255 MinVersion:S20 MaxVersion:S20 MinSize:I4 MaxSize:I4 MinDate:I4 MaxDate:I4 Languages:S255",
        *((name, file, "", "", "", "", "", "", "") for name, (file, _) in found.items()),
    )
    places = [(name, "", folder, 0) for name, (_, folder) in found.items()]
    package.add("DrLocator", "Signature_:s72 Parent:S72 Path:S255 Depth:I2", *places, keys=3)
    values = [(name, HKLM, key, file, value_in_64_bit_view) for name, (file, _) in ours.items()]
    package.add("RegLocator", "Signature_:s72 Root:i2 Key:s255 Name:S255 Type:I2", *values)
    package.rows("Registry").extend((name, HKLM, key, file, folder, file) for name, (file, folder) in ours.items())
    # The installation fails if another user's file exists: that user would still be its owner.
    package.rows("LaunchCondition").append((
        "Installed OR NOT CONFIGFOUND OR OURCONFIG",
        "The file config.toml in [CommonAppDataFolder]bedrock-sso was not installed by this package, so any user may have written it. Remove that folder first.",
    ))
    package.add("CreateFolder", "Directory_:s72 Component_:s72", ("CONFIGURATION", CONFIGURATION), keys=2)
    package.add("MsiLockPermissionsEx", "MsiLockPermissionsEx:s72 LockObject:s72 Table:s32 SDDLText:s255 Condition:S255",
                ("configuration", "CONFIGURATION", "CreateFolder", WRITTEN_BY_ADMINISTRATORS, ""), keys=3)
