//! The folder in which a platform keeps what it has to find again.

use std::path::{Path, PathBuf};

use super::{PlatformFault, files, software};

/// The file with the name of the platform. Folders from before there was more than one platform lack it.
const NAME: &str = "name";

/// The folder of the platform `name` in `dir`, private to this user. Filled by `fill` if there is none yet: it exists
/// whole or not at all.
///
/// # Errors
///
/// If it was made on another platform, is open to other users, or `fill` fails.
pub(super) fn open(
    dir: &Path,
    name: &'static str,
    fill: impl FnOnce(&Path) -> Result<(), PlatformFault>,
) -> Result<PathBuf, PlatformFault> {
    let folder = dir.join("platform");
    if folder.exists() {
        files::check_private(&folder)?;
        let path = folder.join(NAME);
        let made_on = match path.exists() {
            true => {
                // It is shown to people, whatever somebody wrote there.
                let text = files::read(&path)?;
                text.trim_ascii().escape_ascii().to_string()
            }
            false => software::NAME.to_owned(),
        };
        return match made_on == name {
            true => Ok(folder),
            false => Err(PlatformFault::OtherPlatform {
                path: dir.into(),
                made_on,
                asked_for: name,
            }),
        };
    }
    let new = dir.join("platform.new");
    files::create_empty_folder(dir, &new)?;
    files::create(&new.join(NAME), format!("{name}\n").as_bytes())?;
    fill(&new)?;
    files::rename(&new, &folder)?;
    tracing::info!(folder = %folder.display(), platform = name, "made the keys of a new device");
    Ok(folder)
}
