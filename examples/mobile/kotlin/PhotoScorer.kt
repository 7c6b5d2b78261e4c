import android.content.Context
import android.graphics.Bitmap
import com.google.mediapipe.framework.image.BitmapImageBuilder
import com.google.mediapipe.tasks.core.BaseOptions
import com.google.mediapipe.tasks.core.Delegate
import com.google.mediapipe.tasks.vision.core.RunningMode
import com.google.mediapipe.tasks.vision.imageclassifier.ImageClassifier
import com.google.mediapipe.tasks.vision.imageclassifier.ImageClassifier.ImageClassifierOptions

/**
 * Scores photos with a file that `iqa-zoo export MODEL -o model.tflite --to mediapipe` wrote.
 *
 * Keep one for all photos, and call it from one thread that is not the user interface's.
 *
 * @param asset the file's name in src/main/assets.
 * @param low the lowest mark of the model's scale, and [high] the highest.
 */
class PhotoScorer(
    context: Context,
    asset: String = "model.tflite",
    private val low: Double = 1.0,
    private val high: Double = 10.0,
) : AutoCloseable {
    // Scores are those of the CPU: a GPU resizes photos in another way. Neither
    // setMaxResults nor setScoreThreshold, since the mean needs every bin.
    private val classifier = ImageClassifier.createFromOptions(
        context,
        ImageClassifierOptions.builder()
            .setBaseOptions(
                BaseOptions.builder()
                    .setModelAssetPath(asset)
                    .setDelegate(Delegate.CPU)
                    .build(),
            )
            .setRunningMode(RunningMode.IMAGE)
            .build(),
    )

    /** The share of people for each mark, of an upright photo in its own size. */
    fun distribution(photo: Bitmap): DoubleArray {
        val pixels =
            if (photo.config == Bitmap.Config.ARGB_8888) photo
            else photo.copy(Bitmap.Config.ARGB_8888, false)
        // Not closed: that would recycle the caller's bitmap.
        val image = BitmapImageBuilder(pixels).build()
        val categories =
            classifier.classify(image).classificationResult().classifications().first().categories()
        // They come sorted by share.
        val shares = DoubleArray(categories.size)
        for (category in categories) shares[category.index()] = category.score().toDouble()
        val total = shares.sum() // not quite 1 where the model has 8 bits
        return DoubleArray(shares.size) { shares[it] / total }
    }

    /** The score: the mean of [distribution], whose bins divide the scale evenly. */
    fun score(photo: Bitmap): Double {
        val shares = distribution(photo)
        val step = (high - low) / (shares.size - 1)
        return shares.indices.sumOf { shares[it] * (low + it * step) }
    }

    override fun close() = classifier.close()
}
