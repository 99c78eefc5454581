# The app with its checkpoints, for CPUs: docker build -t playground . && docker run -p 7860:7860 playground
FROM python:3.12-slim
WORKDIR /app

# torch without the CUDA libraries
RUN pip install --no-cache-dir torch torchvision --index-url https://download.pytorch.org/whl/cpu
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt

COPY app.py ./
COPY playground playground
COPY weights weights
RUN python -m compileall -q app.py playground && install -d -o 1000 -g 1000 /data

# Only /tmp (uploads and exports) and /data (data sets, when first needed) are written.
USER 1000:1000
ENV HOME=/tmp GRADIO_ANALYTICS_ENABLED=False PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 7860
HEALTHCHECK --start-period=2m --timeout=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/gradio_api/health')"]
CMD ["python", "app.py", "--host", "0.0.0.0", "--port", "7860", "--data", "/data"]
