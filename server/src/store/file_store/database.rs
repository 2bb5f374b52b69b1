//! The open file: how it is created, checked, and opened again after an error of the disk.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use bedrock_sso::{host, text::display_path};
use redb::{Builder, Database, Error as RedbError, ReadableDatabase as _, backends::FileBackend};

use super::tables::{LAYOUT, LAYOUT_VERSION, OVER_LIMIT, RedbResult, create_tables};
use crate::store::{StoreError, StoreResult};

/// The pages that redb holds in memory. Its default of 1 GiB would let the server grow with the file.
const CACHE_BYTES: usize = 64 << 20;

pub(super) type Opener = Box<dyn Fn(&Path) -> RedbResult<Database> + Send + Sync>;

/// The file with its open database.
pub(super) struct OpenFile {
    pub(super) path: PathBuf,
    /// Tests put a disk with errors into its place.
    open_existing: Opener,
    opened: RwLock<Opened>,
}

struct Opened {
    /// `None` if the file could not be opened again.
    database: Option<Database>,
    /// How often the file was opened again.
    generation: u64,
}

impl OpenFile {
    /// Opens the file, and creates it if it is missing.
    pub(super) fn open(path: &Path, open_existing: Opener) -> StoreResult<Self> {
        let describe = |error| to_store_error(path, error);
        let database = match fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => {
                return Err(StoreError::Damaged(format!("{} is not a file", display_path(path))));
            }
            Ok(_) => open_existing(path).map_err(describe)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => match create(path).map_err(describe)? {
                Creation::Created(database) => database,
                // Another process was faster.
                Creation::Exists => open_existing(path).map_err(describe)?,
            },
            Err(error) => return Err(describe(error.into())),
        };
        check_layout(path, &database)?;
        let opened = Opened { database: Some(database), generation: 0 };
        Ok(Self { path: path.to_owned(), open_existing, opened: RwLock::new(opened) })
    }

    /// Runs this on the database. After an error of the disk, such as a full one, redb does nothing until the file is
    /// opened again. So this opens it again and repeats the work, once.
    pub(super) fn run<T>(&self, mut work: impl FnMut(&Database) -> RedbResult<T>) -> RedbResult<T> {
        let failed = {
            let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
            let result = opened.database.as_ref().map_or(Err(RedbError::PreviousIo), &mut work);
            match result {
                Err(RedbError::PreviousIo) => opened.generation,
                settled => return settled,
            }
        };
        self.open_again(failed)?;
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        opened.database.as_ref().map_or(Err(RedbError::PreviousIo), work)
    }

    fn open_again(&self, failed: u64) -> RedbResult<()> {
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        if opened.generation != failed {
            // Another thread was here first.
            return Ok(());
        }
        // redb's lock on the file must go first.
        opened.database = None;
        opened.database = Some((self.open_existing)(&self.path)?);
        opened.generation += 1;
        Ok(())
    }
}

enum Creation {
    Created(Database),
    Exists,
}

/// Creates the file under another name and links it into place when it is complete. A crash in between leaves no file
/// that looks damaged.
fn create(path: &Path) -> RedbResult<Creation> {
    let mut random = [0; 8];
    host::fill_random(&mut random);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{:016x}", u64::from_ne_bytes(random)));
    let draft = path.with_file_name(name);
    let created = fill_draft(&draft).and_then(|database| match fs::hard_link(&draft, path) {
        Ok(()) => Ok(Creation::Created(database)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Creation::Exists),
        Err(error) => Err(error.into()),
    });
    // The draft's name is of no use, whether or not the file exists now under its own.
    let _ = fs::remove_file(&draft);
    let created = created?;
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        // Otherwise a power failure could take back the file's name, and with it what has been counted.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    Ok(created)
}

fn fill_draft(draft: &Path) -> RedbResult<Database> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let database = builder().create_with_backend(FileBackend::new(options.open(draft)?)?)?;
    let transaction = database.begin_write()?;
    transaction.open_table(LAYOUT)?.insert("version", LAYOUT_VERSION)?;
    create_tables(&transaction)?;
    transaction.commit()?;
    Ok(database)
}

pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

pub(super) fn open_existing(path: &Path) -> RedbResult<Database> {
    // Without the check, redb trusts a file that was closed in order, and panics later where it is damaged.
    Ok(builder().set_check_integrity_on_open(true).open(path)?)
}

fn check_layout(path: &Path, database: &Database) -> StoreResult<()> {
    match read_layout(database) {
        Ok(LAYOUT_VERSION) => add_tables(database).map_err(|error| to_store_error(path, error)),
        Ok(version) => Err(StoreError::LaterVersion(format!(
            "{} has layout {version}, and this program knows layout {LAYOUT_VERSION}",
            display_path(path)
        ))),
        Err(RedbError::TableDoesNotExist(_)) => {
            Err(StoreError::Damaged(format!("another program has written {}", display_path(path))))
        }
        Err(error) => Err(to_store_error(path, error)),
    }
}

/// Creates the tables that an earlier program of the same layout did not have.
fn add_tables(database: &Database) -> RedbResult<()> {
    match database.begin_read()?.open_table(OVER_LIMIT) {
        Err(redb::TableError::TableDoesNotExist(_)) => {
            let transaction = database.begin_write()?;
            create_tables(&transaction)?;
            Ok(transaction.commit()?)
        }
        Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn read_layout(database: &Database) -> RedbResult<u64> {
    let version = database.begin_read()?.open_table(LAYOUT)?.get("version")?.map(|version| version.value());
    version.ok_or_else(|| RedbError::Corrupted("the layout has no version".to_owned()))
}

/// Sorts redb's errors by what an administrator can do.
pub(super) fn to_store_error(path: &Path, error: RedbError) -> StoreError {
    let described = format!("{}: {error}", display_path(path));
    match error {
        RedbError::DatabaseAlreadyOpen | RedbError::LockProtocolMismatch => StoreError::InUse(display_path(path)),
        // redb reports in this way that another program wrote the file, or that it is too short.
        RedbError::Io(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
            StoreError::Damaged(described)
        }
        RedbError::Corrupted(_)
        | RedbError::UpgradeRequired(_)
        | RedbError::RepairAborted
        | RedbError::TableTypeMismatch { .. }
        | RedbError::TableIsMultimap(_)
        | RedbError::TypeDefinitionChanged { .. }
        | RedbError::TableDoesNotExist(_) => StoreError::Damaged(described),
        // The disk does not answer, or is full.
        _ => StoreError::Unavailable(described),
    }
}
