//! Charts as SVG: ratios row by row, and curves of growth. Text is drawn by whoever shows the file.

use plotters::prelude::{
    ChartBuilder, Color, IntoDrawingArea, IntoLogRange, LineSeries, PathElement, RGBColor,
    Rectangle, SVGBackend, SeriesLabelPosition, BLACK, WHITE,
};
use plotters::style::{IntoFont, TextStyle};

use crate::compare::{Comparison, Pair};
use crate::growth::Curve;
use crate::record::Kind;
use crate::Failure;

const CONTROL: RGBColor = RGBColor(31, 119, 180);
const COPYING: RGBColor = RGBColor(255, 152, 60);
/// Colours of curves, one after the other.
const CURVES: [RGBColor; 6] = [
    CONTROL,
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(148, 103, 189),
    COPYING,
    RGBColor(90, 90, 90),
];
/// Pixels of a bar with its gap.
const BAR: u32 = 14;
const WIDTH: u32 = 900;

fn broken<E: std::fmt::Display>(error: E) -> Failure {
    Failure::Input(format!("drawing the chart: {error}"))
}

/// One bar per row: this kernel's part of the base's cost. Parts of rows are left out.
pub(crate) fn ratios(comparison: &Comparison, title: &str) -> Result<String, Failure> {
    let mut pairs: Vec<(&Pair, f64)> = comparison
        .pairs
        .iter()
        .filter(|pair| !pair.is_part())
        .filter_map(|pair| Some((pair, pair.ratio()?)))
        .collect();
    pairs.sort_by(|(_, left), (_, right)| right.total_cmp(left));
    let count = u32::try_from(pairs.len()).map_err(broken)?;
    let height = count * BAR + 90;
    let top = pairs
        .iter()
        .map(|(_, ratio)| *ratio)
        .fold(1.1, f64::max)
        .min(2.0);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE).map_err(broken)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 18))
            .margin(8)
            .x_label_area_size(30)
            .y_label_area_size(270)
            .build_cartesian_2d(0.0..top, 0..count)
            .map_err(broken)?;
        let name = |index: &u32| {
            let at = usize::try_from(*index).unwrap_or(usize::MAX);
            pairs
                .get(at)
                .map_or_else(String::new, |(pair, _)| pair.name.clone())
        };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(pairs.len())
            .y_label_formatter(&name)
            .y_label_style(TextStyle::from(("sans-serif", 10).into_font()))
            .x_desc("part of the base's cost (blue: instructions, orange: time of copying rows)")
            .draw()
            .map_err(broken)?;
        let bars = (0..count).zip(&pairs).map(|(index, (pair, ratio))| {
            let colour = match pair.kind {
                Kind::Control => CONTROL,
                Kind::Copying => COPYING,
            };
            let mut bar =
                Rectangle::new([(0.0, index), (ratio.min(top), index + 1)], colour.filled());
            bar.set_margin(2, 2, 0, 0);
            bar
        });
        chart.draw_series(bars).map_err(broken)?;
        for limit in [0.5, 1.0] {
            let line = LineSeries::new([(limit, 0), (limit, count)], BLACK.stroke_width(1));
            chart.draw_series(line).map_err(broken)?;
        }
        area.present().map_err(broken)?;
    }
    Ok(svg)
}

/// Curves of cost over a number of things, both axes logarithmic.
pub(crate) fn curves(curves: &[Curve], title: &str) -> Result<String, Failure> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let range = |values: Vec<f64>| {
        let low = values.iter().copied().fold(f64::MAX, f64::min).max(1.0);
        let high = values.iter().copied().fold(low * 2.0, f64::max);
        (low..high * 1.2).log_scale()
    };
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, 480)).into_drawing_area();
        area.fill(&WHITE).map_err(broken)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 18))
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(70)
            .build_cartesian_2d(
                range(points().map(|(x, _)| *x).collect()),
                range(points().map(|(_, y)| *y).collect()),
            )
            .map_err(broken)?;
        chart
            .configure_mesh()
            .x_desc("how many, or how large")
            .y_desc("instructions")
            .draw()
            .map_err(broken)?;
        for (curve, colour) in curves.iter().zip(CURVES.iter().cycle()) {
            let line = LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2));
            chart
                .draw_series(line)
                .map_err(broken)?
                .label(curve.name.clone())
                .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .border_style(BLACK)
            .background_style(WHITE.filled())
            .draw()
            .map_err(broken)?;
        area.present().map_err(broken)?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::row;
    use crate::record::{Origin, Record};

    #[test]
    fn a_chart_names_its_rows() {
        let record = |cost| {
            Record::new(
                Origin::default(),
                vec![row("A/B", Kind::Control, cost, 1.0)],
            )
        };
        let comparison = Comparison::new(&record(1.0), &record(2.0)).unwrap();
        let svg = ratios(&comparison, "Title").unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("A/B") && svg.contains("Title"));
    }

    #[test]
    fn curves_have_legends() {
        let curve = Curve {
            name: "Growth/Waiters".to_owned(),
            points: vec![(1.0, 100.0), (1000.0, 120.0)],
        };
        assert!(curves(&[curve], "Title")
            .unwrap()
            .contains("Growth/Waiters"));
    }
}
