//! What Python's arguments say, in the words of this crate.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyFloat, PyInt, PyString};

use crate::hot;
use crate::style::{Ascii, Looks, Packed, PostfixPacker};
use crate::traits::{Leave, Reduce};

/// A text of Python's, of which a lone surrogate is shown as a replacement character: any file name
/// may come with one (PEP 383), and a bar does not fail for it.
pub(crate) struct Text(pub(crate) String);

impl FromPyObject<'_, '_> for Text {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let text = object.cast::<PyString>()?;
        Ok(Self(text.to_string_lossy().into_owned()))
    }
}

/// What `reduce=` says.
pub(crate) fn reduce_of(text: &str) -> PyResult<Reduce> {
    Ok(match text {
        "auto" => Reduce::Auto,
        "sum" => Reduce::Sum,
        "mean" => Reduce::Mean,
        "min" => Reduce::Min,
        "max" => Reduce::Max,
        "rank" => Reduce::Rank,
        _ => {
            let text = format!(
                "reduce should be 'auto', 'sum', 'mean', 'min', 'max' or 'rank', found {text:?}"
            );
            return Err(PyValueError::new_err(text));
        }
    })
}

/// What `leave=` says.
pub(crate) fn leave_of(leave: Option<bool>) -> Leave {
    match leave {
        Some(true) => Leave::Yes,
        Some(false) => Leave::No,
        None => Leave::IfFirst,
    }
}

/// The default of `mininterval`, by which object a bar is known that nobody gave one: it reads as
/// tqdm's number, and an explicit 0.1 is another object.
pub(crate) fn default_interval(py: Python<'_>) -> &Bound<'_, PyFloat> {
    static DEFAULT: PyOnceLock<Py<PyFloat>> = PyOnceLock::new();
    let default = DEFAULT.get_or_init(py, || PyFloat::new(py, 0.1).unbind());
    default.bind(py)
}

/// How the line looks: the constructor's arguments as a dict.
pub(crate) fn looks_of(given: &Bound<'_, PyDict>) -> PyResult<Looks> {
    let py = given.py();
    let get = |name: &str| {
        let missing = || PyValueError::new_err(format!("looks should have {name:?}"));
        given.get_item(hot::text(py, name)?)?.ok_or_else(missing)
    };
    let text = |name| -> PyResult<String> {
        let text: Option<Text> = get(name)?.extract()?;
        Ok(text.map_or_else(String::new, |text| text.0))
    };
    let ascii = get("ascii")?;
    let mininterval = get("mininterval")?;
    Ok(Looks {
        unit: get("unit")?.extract::<Text>()?.0,
        ascii: if ascii.is_instance_of::<PyString>() {
            Ascii::Custom(ascii.extract::<Text>()?.0)
        } else if hot::is_true(&ascii)? {
            Ascii::Yes
        } else {
            Ascii::No
        },
        bar_format: text("bar_format")?,
        colour: text("colour")?,
        unit_scale: match get("unit_scale")? {
            none if none.is_none() => 0.0,
            scale => hot::double(&scale)?,
        },
        unit_divisor: hot::double(&get("unit_divisor")?)?,
        smoothing: hot::double(&get("smoothing")?)?,
        // NaN where none was asked for: the output's own schedule holds.
        mininterval_s: if mininterval.is(default_interval(py)) {
            f64::NAN
        } else {
            hot::double(&mininterval)?
        },
        delay_s: hot::double(&get("delay")?)?,
        ncols: get("ncols")?.extract()?,
        nrows: get("nrows")?.extract()?,
    })
}

/// A postfix, packed as values; `None` where a value is of another kind.
pub(crate) fn packed_postfix(given: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
    if given.is_none() {
        return Ok(Some(Vec::new()));
    }
    if let Ok(text) = given.cast::<PyString>() {
        return Ok(Some(PostfixPacker::text_alone(&text.to_string_lossy())));
    }
    let mut packer = PostfixPacker::new();
    for (key, value) in given.cast::<PyDict>()? {
        if pack_pair(&mut packer, &key, &value)?.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(packer.finish()))
}

/// How a pair is stored, and where; `None` where the value is neither a plain number nor a text.
pub(crate) fn pack_pair(
    packer: &mut PostfixPacker,
    key: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
) -> PyResult<Option<(Packed, usize)>> {
    let Ok(key) = key.cast::<PyString>() else {
        return Ok(None);
    };
    let key = key.to_string_lossy();
    if value.is_instance_of::<PyFloat>() {
        Ok(Some((Packed::Float, packer.float(&key, value.extract()?))))
    } else if value.is_exact_instance_of::<PyInt>() {
        let value = value.extract().ok();
        Ok(value.map(|value| (Packed::Int, packer.int(&key, value))))
    } else if let Ok(text) = value.cast::<PyString>() {
        let place = packer.text(&key, &text.to_string_lossy());
        Ok(Some((Packed::Text, place)))
    } else {
        Ok(None)
    }
}
