use tamarack_ta::{
    ResultCode,
    interface::{STORAGE_PRIVATE, STORAGE_SHARED},
};
use zeroize::Zeroizing;

use super::{Place, TaServices, code, kind};

/// Whose objects are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Area {
    /// The TA's own.
    Private,
    /// Those that all TAs of its security domain share.
    Shared,
}

impl Area {
    /// The area with the interface's number.
    pub(crate) fn of(number: u32) -> Result<Self, ResultCode> {
        match number {
            STORAGE_PRIVATE => Ok(Self::Private),
            STORAGE_SHARED => Ok(Self::Shared),
            _ => Err(ResultCode::BAD_PARAMETERS),
        }
    }
}

impl TaServices {
    /// Where an object is, if this TA may have it at all.
    fn object(&self, area: Area, name: &str) -> Result<Place, ResultCode> {
        if area == Area::Shared {
            if !self
                .application
                .shared_objects
                .iter()
                .any(|shared| shared == name)
            {
                return Err(ResultCode::ACCESS_DENIED);
            }
            // A TA of the same domain waits for this one, perhaps with changes that it holds back.
            let mut waiting = self.callers.iter().rev().skip(1);
            if waiting.any(|caller| caller.domain == self.application.record.domain) {
                return Err(ResultCode::BUSY);
            }
        }
        Ok((area, [&[kind::OBJECT], name.as_bytes()].concat()))
    }

    fn existing(&self, place: &Place) -> Result<Zeroizing<Vec<u8>>, ResultCode> {
        self.read(place)?.ok_or(ResultCode::ITEM_NOT_FOUND)
    }

    /// Makes a new object.
    pub(crate) fn object_create(
        &mut self,
        area: Area,
        name: &str,
        data: &[u8],
    ) -> Result<(), ResultCode> {
        let place = self.object(area, name)?;
        match self.length(&place)? {
            Some(_) => Err(ResultCode::ACCESS_CONFLICT),
            None => self.write(place, Zeroizing::new(data.to_vec())),
        }
    }

    /// Bytes of an object.
    pub(crate) fn object_size(&mut self, area: Area, name: &str) -> Result<u64, ResultCode> {
        let place = self.object(area, name)?;
        self.length(&place)?.ok_or(ResultCode::ITEM_NOT_FOUND)
    }

    /// A whole object.
    pub(crate) fn object_read(
        &mut self,
        area: Area,
        name: &str,
    ) -> Result<Zeroizing<Vec<u8>>, ResultCode> {
        let place = self.object(area, name)?;
        self.existing(&place)
    }

    /// At most `len` bytes of an object from `offset` on.
    pub(crate) fn object_read_at(
        &mut self,
        area: Area,
        name: &str,
        offset: u64,
        len: u32,
    ) -> Result<Zeroizing<Vec<u8>>, ResultCode> {
        let place = self.object(area, name)?;
        let size = self.length(&place)?.ok_or(ResultCode::ITEM_NOT_FOUND)?;
        // Room for what is there, not for what was asked.
        let len = u64::from(len).min(size.saturating_sub(offset));
        let len = usize::try_from(len).map_err(|_| ResultCode::OVERFLOW)?;
        if let Some(Some(value)) = self.changes.get(&place) {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let rest = value.get(start..).unwrap_or_default();
            return Ok(Zeroizing::new(rest.get(..len).unwrap_or(rest).to_vec()));
        }
        let mut buffer = Zeroizing::new(vec![0; len]);
        let read = self
            .view()?
            .read_at(self.space(area), &place.1, offset, &mut buffer)
            .map_err(code)?
            .ok_or(ResultCode::ITEM_NOT_FOUND)?;
        buffer.truncate(read);
        Ok(buffer)
    }

    /// Writes a whole object, new or not.
    pub(crate) fn object_write(
        &mut self,
        area: Area,
        name: &str,
        data: &[u8],
    ) -> Result<(), ResultCode> {
        let place = self.object(area, name)?;
        self.write(place, Zeroizing::new(data.to_vec()))
    }

    /// Writes a part of an object that exists.
    pub(crate) fn object_write_at(
        &mut self,
        area: Area,
        name: &str,
        offset: u64,
        data: &[u8],
    ) -> Result<(), ResultCode> {
        let place = self.object(area, name)?;
        let value = self.existing(&place)?;
        let end = offset
            .checked_add(data.len() as u64)
            .ok_or(ResultCode::OVERFLOW)?;
        let end = end.max(value.len() as u64);
        let mut value = self.resized(value, end)?;
        let start = usize::try_from(offset).map_err(|_| ResultCode::OVERFLOW)?;
        let at = value.get_mut(start..).unwrap_or_default();
        at.iter_mut().zip(data).for_each(|(to, from)| *to = *from);
        self.write(place, value)
    }

    /// Cuts an object, or fills it up with zeros.
    pub(crate) fn object_truncate(
        &mut self,
        area: Area,
        name: &str,
        size: u64,
    ) -> Result<(), ResultCode> {
        let place = self.object(area, name)?;
        let value = self.existing(&place)?;
        let value = self.resized(value, size)?;
        self.write(place, value)
    }

    fn resized(
        &self,
        value: Zeroizing<Vec<u8>>,
        size: u64,
    ) -> Result<Zeroizing<Vec<u8>>, ResultCode> {
        // Never more memory than could be stored.
        if size > self.application.quota.bytes {
            return Err(ResultCode::STORAGE_NO_SPACE);
        }
        let size = usize::try_from(size).map_err(|_| ResultCode::OVERFLOW)?;
        // Made anew: growing in place would leave the old bytes behind in memory.
        let mut resized = Zeroizing::new(vec![0; size]);
        let both = resized.iter_mut().zip(value.iter());
        both.for_each(|(to, from)| *to = *from);
        Ok(resized)
    }

    /// Gives an object another name.
    pub(crate) fn object_rename(
        &mut self,
        area: Area,
        name: &str,
        new: &str,
    ) -> Result<(), ResultCode> {
        let (old, new) = (self.object(area, name)?, self.object(area, new)?);
        let value = self.existing(&old)?;
        if self.length(&new)?.is_some() {
            return Err(ResultCode::ACCESS_CONFLICT);
        }
        self.write(new, value)?;
        self.remove(old)
    }

    /// Deletes an object.
    pub(crate) fn object_delete(&mut self, area: Area, name: &str) -> Result<(), ResultCode> {
        let place = self.object(area, name)?;
        self.remove(place)
    }

    /// Names of the objects, sorted.
    pub(crate) fn object_names(&mut self, area: Area) -> Result<Vec<String>, ResultCode> {
        let mut names = self.names(area, kind::OBJECT)?;
        if area == Area::Shared {
            // What the domain shared once and does not any more is there, and nobody's.
            names.retain(|name| self.application.shared_objects.contains(name));
        }
        Ok(names)
    }
}
