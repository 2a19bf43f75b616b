// The parts of Apache ECharts that the report draws with; `renew.sh` makes echarts.js from them.
import { use } from "echarts/core";
import { LineChart, ParallelChart } from "echarts/charts";
import { GridComponent, ParallelComponent } from "echarts/components";
import { CanvasRenderer } from "echarts/renderers";

use([LineChart, ParallelChart, GridComponent, ParallelComponent, CanvasRenderer]);

export { init } from "echarts/core";
