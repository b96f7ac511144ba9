//! tqdm's formatting functions, as Python calls them.
//!
//! A template that asks for something only Python can do (`{postfix[0]}`, `{eta:%H:%M}`, a
//! subclass's own field) is rendered by Python's `str.format` over the same values.

use std::sync::OnceLock;

use mp_tqdm_render::{
    Bar, Charset, Field, FieldValue, Figures, Meter, MeterPostfix, Number, Template, UnitScale,
};
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};

use crate::arguments::Text;
use crate::hot;
use crate::shown::number as python_number;

/// What tqdm takes out of a template whose desc is empty.
const DESC_WITH_COLON: &str = "{desc}: ";

/// A number with three digits, an order-of-magnitude prefix and a suffix.
#[pyfunction]
#[pyo3(signature = (num, suffix="", divisor=None), text_signature = "(num, suffix='', divisor=1000)")]
pub(crate) fn format_sizeof<'py>(
    num: &Bound<'py, PyAny>,
    suffix: &str,
    divisor: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let divisor = divisor.map_or(Ok(mp_tqdm_render::UNIT_DIVISOR), number)?;
    let text = mp_tqdm_render::format_sizeof(number(num)?, suffix, divisor);
    hot::text(num.py(), &text)
}

/// Seconds as `[H:]MM:SS`.
#[pyfunction]
pub(crate) fn format_interval<'py>(t: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    hot::text(t.py(), &mp_tqdm_render::format_interval(number(t)?))
}

/// Columns that a text takes on a terminal, without its escape sequences.
#[pyfunction]
pub(crate) fn display_columns(py: Python<'_>, text: &str) -> PyResult<Py<PyAny>> {
    hot::int_of(py, mp_tqdm_render::disp_len(text).cast_signed() as i64)
}

/// A number with three significant digits, if that is shorter than all its digits.
#[pyfunction]
pub(crate) fn format_num<'py>(n: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = n.py();
    if let Some(number) = plain_number(n) {
        return hot::text(py, &mp_tqdm_render::format_num(number));
    }
    // NumPy's, Decimal and Fraction have texts of their own.
    let three_digits = hot::call_method(n, "__format__", &[&hot::text(py, ".3g")?])?;
    let three_digits: String = three_digits.extract()?;
    hot::text(py, &mp_tqdm_render::shorter_num(&three_digits, &text(n)?))
}

/// A text without anything that could move a cursor, change a terminal or reorder a line; colours stay.
#[pyfunction]
pub(crate) fn harmless(py: Python<'_>, text: Text) -> PyResult<Bound<'_, PyAny>> {
    hot::text(py, &mp_tqdm_render::harmless(&text.0))
}

/// Whether the renderer can fill in a template by itself.
#[pyfunction]
pub(crate) fn is_plain_template(template: Text) -> bool {
    Template::parse(&template.0).is_ok()
}

/// One line of progress.
///
/// The three parameters that tqdm has not are those of a whole job: the part done and the seconds
/// left where they are not this line's, and a remark behind the postfix. (`nrows` is one of tqdm's extra
/// ones. Those go into a dict, for which there may be no memory; PyO3 panics then.)
#[pyfunction]
#[pyo3(
    signature = (
        n, total, elapsed, ncols=None, prefix=None, ascii=None, unit=None, unit_scale=None,
        rate=None, bar_format=None, postfix=None, unit_divisor=None, initial=None, colour=None,
        *, nrows=None, job_fraction=None, job_remaining_s=None, job_note=None, **extra_kwargs,
    ),
    text_signature = "(n, total, elapsed, ncols=None, prefix='', ascii=False, unit='it', \
        unit_scale=False, rate=None, bar_format=None, postfix=None, unit_divisor=1000, initial=0, \
        colour=None, *, job_fraction=None, job_remaining_s=None, job_note=None, **extra_kwargs)"
)]
#[expect(clippy::too_many_arguments, reason = "the signature is tqdm's")]
pub(crate) fn format_meter<'py>(
    n: &Bound<'py, PyAny>,
    total: Option<&Bound<'_, PyAny>>,
    elapsed: &Bound<'_, PyAny>,
    ncols: Option<&Bound<'_, PyAny>>,
    prefix: Option<&Bound<'_, PyAny>>,
    ascii: Option<&Bound<'_, PyAny>>,
    unit: Option<&Bound<'_, PyAny>>,
    unit_scale: Option<&Bound<'_, PyAny>>,
    rate: Option<&Bound<'_, PyAny>>,
    bar_format: Option<&Bound<'_, PyAny>>,
    postfix: Option<&Bound<'_, PyAny>>,
    unit_divisor: Option<&Bound<'_, PyAny>>,
    initial: Option<&Bound<'_, PyAny>>,
    colour: Option<&Bound<'_, PyAny>>,
    nrows: Option<&Bound<'py, PyAny>>,
    job_fraction: Option<f64>,
    job_remaining_s: Option<f64>,
    job_note: Option<&str>,
    extra_kwargs: Option<&Bound<'_, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = n.py();
    let ncols = ncols.map(whole::<i64>).transpose()?;
    let prefix = optional_text(prefix)?.unwrap_or_default();
    let unit = optional_text(unit)?.unwrap_or_else(|| "it".to_owned());
    let colour = optional_text(colour)?;
    let bar_format = optional_text(bar_format)?.filter(|template| !template.is_empty());
    let charset = charset(ascii)?;
    // Whatever is not text keeps its own type, for templates that look into it.
    let postfix_value = truthy(postfix)?.cloned();
    let postfix_object = postfix_value
        .as_ref()
        .filter(|value| !value.is_instance_of::<PyString>());
    let postfix_text = optional_text(postfix_value.as_ref())?.unwrap_or_default();
    let template = bar_format.as_deref().map(Template::parse);
    let mut meter = Meter {
        ncols: ncols.map(|ncols| u32::try_from(ncols.max(1)).unwrap_or(u32::MAX)),
        prefix: &prefix,
        charset: &charset,
        unit: &unit,
        unit_scale: unit_scale_of(unit_scale)?,
        rate: rate.map(number).transpose()?,
        postfix: match postfix_object {
            Some(_) => MeterPostfix::Raw(&postfix_text),
            None => MeterPostfix::Joined(&postfix_text),
        },
        colour: colour.as_deref(),
        fraction: job_fraction,
        remaining_s: job_remaining_s,
        note: job_note,
        ..Meter::new(number(n)?, total.map(number).transpose()?, number(elapsed)?)
    };
    if ncols == Some(0) {
        meter.ncols = Some(0);
    }
    if let Some(divisor) = unit_divisor {
        meter.unit_divisor = number(divisor)?;
    }
    if let Some(initial) = initial {
        meter.initial = number(initial)?;
    }
    meter.nrows = nrows.and_then(|nrows| whole(nrows).ok());
    let replaced = replaces_fields(extra_kwargs)?;
    if ncols == Some(0) && Figures::of(&meter).fraction().is_some() {
        // Figures alone, whatever the template.
        let figures = mp_tqdm_render::format_meter(&meter).unwrap_or_default();
        return hot::text(py, &figures);
    }
    let looks_into_postfix = postfix_object.is_some() && bar_format.is_some();
    if !replaced && !looks_into_postfix {
        let line = match &template {
            None => mp_tqdm_render::format_meter(&meter),
            Some(Ok(template)) => mp_tqdm_render::format_meter(&Meter {
                bar_format: Some(template),
                ..meter.clone()
            }),
            Some(Err(error)) => Err(error.clone()),
        };
        if let Ok(line) = line {
            return hot::text(py, &line);
        }
    }
    let template = bar_format.as_deref().unwrap_or("{l_bar}{bar}{r_bar}");
    let template_of_python = PythonTemplate {
        py,
        meter: &meter,
        postfix: postfix_object,
        nrows,
        extra: extra_kwargs,
    };
    hot::text(py, &template_of_python.render(template)?)
}

/// A template in the hands of Python.
struct PythonTemplate<'a, 'py> {
    py: Python<'py>,
    meter: &'a Meter<'a>,
    postfix: Option<&'a Bound<'py, PyAny>>,
    nrows: Option<&'a Bound<'py, PyAny>>,
    extra: Option<&'a Bound<'py, PyDict>>,
}

impl<'py> PythonTemplate<'_, 'py> {
    fn render(&self, template: &str) -> PyResult<String> {
        let figures = Figures::of(self.meter);
        let without_desc = self.meter.prefix.is_empty() && figures.fraction().is_some();
        let template = if without_desc {
            template.replace(DESC_WITH_COLON, "")
        } else {
            template.to_owned()
        };
        let template = hot::text(self.py, &template)?;
        let filled = |values: &Bound<'py, PyDict>| -> PyResult<String> {
            hot::call_method_with(&template, "format", &[], values)?.extract()
        };
        let values = self.values(&figures)?;
        // First without the bar, to see how much room is left for it.
        let probe = Bound::new(self.py, BarProbe::default())?;
        values.set_item(hot::text(self.py, "bar")?, &probe)?;
        let rest = filled(&values)?;
        if probe.get().is_called.get().is_none() {
            return Ok(self.meter.trim(rest));
        }
        let bar = figures.bar_beside(&rest).into_owned();
        let bar = Bound::new(self.py, FormatBar { bar })?;
        values.set_item(hot::text(self.py, "bar")?, bar)?;
        Ok(self.meter.trim(filled(&values)?))
    }

    fn values(&self, figures: &Figures<'_>) -> PyResult<Bound<'py, PyDict>> {
        let values = hot::dict(self.py)?;
        let put = |name: &str, value: &Bound<'py, PyAny>| {
            values.set_item(hot::text(self.py, name)?, value)
        };
        for (name, field) in Field::ALL {
            let value = match figures.get(field) {
                FieldValue::None => self.py.None(),
                FieldValue::Bool(value) => {
                    PyBool::new(self.py, value).to_owned().into_any().unbind()
                }
                FieldValue::Number(value) => python_number(self.py, value)?,
                FieldValue::Text(value) => hot::text(self.py, &value)?.unbind(),
            };
            put(name, value.bind(self.py))?;
        }
        put("eta", &self.eta(figures)?)?;
        if let Some(postfix) = self.postfix {
            put("postfix", postfix)?;
        }
        put("nrows", self.nrows.unwrap_or(self.py.None().bind(self.py)))?;
        if let Some(extra) = self.extra {
            values.update(extra.as_mapping())?;
        }
        Ok(values)
    }

    /// When it will be done, as a local time; 1970 if nobody knows.
    fn eta(&self, figures: &Figures<'_>) -> PyResult<Bound<'py, PyAny>> {
        let datetime = hot::import(self.py, c"datetime")?;
        let class = hot::attribute(&datetime, "datetime")?;
        let has_rate = matches!(figures.get(Field::RateNoinv),
            FieldValue::Number(rate) if !rate.is_zero());
        let (FieldValue::Number(remaining_s), true, Some(_)) =
            (figures.get(Field::RemainingS), has_rate, figures.fraction())
        else {
            let utc = hot::attribute(&hot::attribute(&datetime, "timezone")?, "utc")?;
            let start = hot::int_of(self.py, 0)?;
            return hot::call_method(&class, "fromtimestamp", &[start.bind(self.py), &utc]);
        };
        let now = hot::call_method(&class, "now", &[])?;
        let days = hot::int_of(self.py, 0)?;
        let seconds = hot::float_of(self.py, remaining_s.as_f64())?;
        let delta = hot::attribute(&datetime, "timedelta")?;
        let interval = hot::call(&delta, &[days.bind(self.py), seconds.bind(self.py)]);
        match interval.and_then(|interval| now.add(interval)) {
            Err(error)
                if error.is_instance_of::<PyOverflowError>(self.py)
                    || error.is_instance_of::<PyValueError>(self.py) =>
            {
                hot::attribute(&class, "max")
            }
            eta => eta,
        }
    }
}

/// Stands for the bar while the rest of the line is measured, and tells whether there is one.
#[pyclass(frozen)]
#[derive(Default)]
struct BarProbe {
    is_called: OnceLock<()>,
}

#[pymethods]
impl BarProbe {
    fn __format__<'py>(&self, py: Python<'py>, _spec: &str) -> PyResult<Bound<'py, PyAny>> {
        self.is_called.get_or_init(|| ());
        hot::text(py, "")
    }
}

/// The bar as a template's `{bar:...}` asks for it.
#[pyclass(frozen)]
struct FormatBar {
    bar: Bar<'static>,
}

#[pymethods]
impl FormatBar {
    fn __format__<'py>(&self, py: Python<'py>, spec: &str) -> PyResult<Bound<'py, PyAny>> {
        match self.bar.format(spec) {
            Ok(bar) => hot::text(py, &bar),
            Err(error) => Err(PyValueError::new_err(error.to_string())),
        }
    }
}

/// Whether a keyword beyond tqdm's replaces a field, as a subclass may want it to.
fn replaces_fields(extra: Option<&Bound<'_, PyDict>>) -> PyResult<bool> {
    let mut replaced = false;
    for (name, _) in extra.into_iter().flat_map(|extra| extra.iter()) {
        let name: String = name.extract()?;
        match name.as_str() {
            "eta" => {}
            name => replaced |= Field::by_name(name).is_some(),
        }
    }
    Ok(replaced)
}

/// A number as the renderer knows it: an int as long as it fits, else the nearest float.
fn number(value: &Bound<'_, PyAny>) -> PyResult<Number> {
    if !value.is_instance_of::<PyFloat>()
        && let Ok(whole) = whole(value)
    {
        return Ok(Number::Int(whole));
    }
    hot::double(value).map(Number::Float)
}

/// The int that `__index__` gives.
fn whole<T>(value: &Bound<'_, PyAny>) -> PyResult<T>
where
    T: for<'a, 'py> FromPyObject<'a, 'py, Error = PyErr>,
{
    hot::index(value)?.extract()
}

/// A number whose texts are those of an int or float and nothing else.
fn plain_number(value: &Bound<'_, PyAny>) -> Option<Number> {
    if value.is_exact_instance_of::<PyFloat>() {
        value.extract().ok().map(Number::Float)
    } else if value.is_exact_instance_of::<PyInt>() {
        value.extract().ok().map(Number::Int)
    } else {
        None
    }
}

fn unit_scale_of(value: Option<&Bound<'_, PyAny>>) -> PyResult<UnitScale> {
    match truthy(value)? {
        None => Ok(UnitScale::Off),
        Some(value) => {
            let one = hot::int_of(value.py(), 1)?;
            if hot::equals(value, one.bind(value.py()))? {
                return Ok(UnitScale::Si);
            }
            number(value).map(UnitScale::By)
        }
    }
}

fn charset(ascii: Option<&Bound<'_, PyAny>>) -> PyResult<Charset> {
    match truthy(ascii)? {
        None => Ok(Charset::Unicode),
        Some(value) if value.is_instance_of::<PyBool>() => Ok(Charset::Ascii),
        Some(value) => text(value).map(|steps| Charset::custom(&steps)),
    }
}

/// The value, if Python takes it for true.
fn truthy<'a, 'py>(
    value: Option<&'a Bound<'py, PyAny>>,
) -> PyResult<Option<&'a Bound<'py, PyAny>>> {
    match value {
        Some(value) if hot::is_true(value)? => Ok(Some(value)),
        _ => Ok(None),
    }
}

fn optional_text(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<String>> {
    value.filter(|value| !value.is_none()).map(text).transpose()
}

/// `str(value)`, in which a lone surrogate is replaced.
fn text(value: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(hot::str_of(value)?.to_string_lossy().into_owned())
}
