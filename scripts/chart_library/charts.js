/*! Of Apache ECharts: the parts that the report's charts use. Apache License 2.0; its NOTICE, and the licences of zrender and
d3.js, lie beside this file in the package. */
// A chart, component or renderer that the page begins to use is named here, and the file is built anew.
import { BarChart, LineChart, ScatterChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendScrollComponent, MarkAreaComponent, ToolboxComponent, TooltipComponent } from "echarts/components";
import { connect, init, use, version } from "echarts/core";
import { LabelLayout, LegacyGridContainLabel } from "echarts/features";
import { CanvasRenderer, SVGRenderer } from "echarts/renderers";

use([BarChart, LineChart, ScatterChart]);
use([AriaComponent, GridComponent, LegendScrollComponent, MarkAreaComponent, ToolboxComponent, TooltipComponent]);
use([LabelLayout, LegacyGridContainLabel]);
use([CanvasRenderer, SVGRenderer]);

globalThis.echarts = { connect, init, version };
